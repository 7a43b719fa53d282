package api_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

// BenchmarkStatus measures the daemon's part of a status of 100 nodes and 1,000 resources: at rest, and directly after a
// change, when nobody has planned for it yet.
func BenchmarkStatus(b *testing.B) {
	for _, changed := range []bool{false, true} {
		b.Run(map[bool]string{false: "steady", true: "changed"}[changed], func(b *testing.B) {
			cluster := apitest.Large(100, 1000)
			h := api.NewServer(api.Config{Backend: cluster, Plan: api.PlanBySchedule}).PeerHandler()
			i := 0
			for b.Loop() {
				if i++; changed {
					value := strconv.Itoa(i)
					cluster.Do(func(c *apitest.Cluster) {
						c.Change(cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "node001", Name: "rack", Value: &value}})
					})
				}
				w := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, "/v1/status", nil)
				r.Header.Set("Paceline-Forwarded", "node001")
				r.Header.Set("Paceline-User", "root@node001")
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
