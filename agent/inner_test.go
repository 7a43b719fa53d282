package agent

import (
	"net/http"
	"testing"

	"paceline/agent/coordinator"
	"paceline/agent/store"
)

// A node may be elected between its look at who coordinates and the question.
func TestANodeThatWasElectedMeanwhileAsksAgain(t *testing.T) {
	n := &node{file: File{Node: "n1"}, leader: store.Leadership{Leader: true}, runner: &coordinator.Runner{}}
	for _, path := range []string{innerTrouble, innerAttributes} {
		if err := n.askWith(t.Context(), http.MethodPost, path, []byte("[]"), nil); err == nil {
			t.Errorf("%s was answered", path)
		}
	}
}
