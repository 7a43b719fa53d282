package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/integration/cluster"
)

// Debian's own agents in one group, as people have them: storage, address, web server. The group follows its node's death and a move, and a
// killed server is recovered by its monitor.
func TestGroupOfDebianAgents(t *testing.T) {
	for _, agent := range []string{"Filesystem", "IPaddr2", "Delay", "SendArp", "nginx"} {
		needAgent(t, "heartbeat", agent, "resource-agents")
	}
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("needs nginx (Debian: apt-get install nginx-light)")
	}
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	dir := c.Dir() + "/shared/web"
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(dir+"/index.html", []byte("the shop\n"), 0o644))
	must(t, os.WriteFile(dir+"/nginx.conf", []byte("user root;\npid /run/nginx-shop.pid;\nerror_log /var/log/nginx-shop.log;\nevents {}\n"+
		"http { access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;\n"+
		"server { listen 8088; root /srv/web; } }\n"), 0o644))
	must(t, c.Load(t.Context(), `property stonith-enabled=true stonith-action=off
rsc_defaults resource-stickiness=100 migration-threshold=1000
primitive power stonith:fence_lab params pcmk_host_list="node1 node2 node3" op monitor interval=30s
primitive disk ocf:heartbeat:Filesystem params device=/lab/shared/web directory=/srv/web fstype=none options=bind op monitor interval=20s timeout=60s op start timeout=60s op stop timeout=60s
primitive ip ocf:heartbeat:IPaddr2 params ip=`+vip+` cidr_netmask=24 nic=eth0 op monitor interval=10s timeout=60s
primitive arp ocf:heartbeat:SendArp params ip=`+vip+` nic=eth0 op monitor interval=10s timeout=60s
primitive pause ocf:heartbeat:Delay params startdelay=1 stopdelay=1 mondelay=0 op monitor interval=10s timeout=60s
primitive web ocf:heartbeat:nginx params configfile=/srv/web/nginx.conf port=8088 status8url=http://127.0.0.1:8088/index.html op monitor interval=2s timeout=60s
group shop disk ip arp pause web
`))
	all := []string{"disk", "ip", "arp", "pause", "web"}
	whole := func(not string) func(*api.Status) bool {
		return func(s *api.Status) bool {
			w := cluster.Together(s, all...)
			return w != "" && w != not && cluster.Where(s, "power") != "" && cluster.Quiet(s)
		}
	}
	served := func(node string) {
		t.Helper()
		if out, err := c.Node(node).Exec(t.Context(), "cat", "/srv/web/index.html"); err != nil || out != "the shop\n" {
			t.Errorf("on %s the page is %q, %v", node, out, err)
		}
		conn, err := c.Client().Dial(t.Context(), "tcp", vip+":8088")
		must(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		must(t, err)
		b := make([]byte, 4096)
		text := ""
		for n, err := 0, error(nil); err == nil; text += string(b[:n]) {
			n, err = conn.Read(b)
		}
		if !strings.HasSuffix(text, "\r\n\r\nthe shop\n") {
			t.Errorf("the client gets %q", text)
		}
	}
	s := await(t, c, "the group to run", whole(""))
	node := cluster.Together(s, all...)
	served(node)
	_, err := c.Node(node).Exec(t.Context(), "sh", "-c", "kill -9 $(pgrep -x nginx)")
	must(t, err)
	s = await(t, c, "the killed server to have been recovered", func(s *api.Status) bool {
		n, _ := failure(s, "web", node)
		return n != "" && whole("")(s)
	})
	served(cluster.Together(s, all...))
	_, err = c.Run(t.Context(), node, "resource", "move", "shop")
	must(t, err)
	s = await(t, c, "the group to have moved", whole(node))
	node = cluster.Together(s, all...)
	served(node)
	must(t, c.Node(node).Kill())
	s = await(t, c, "the group to run after its node died", whole(node))
	served(cluster.Together(s, all...))
	if err := c.Proof(node); err != nil {
		t.Error(err)
	}
}

// dual is a promotable agent that writes down what it is asked, and whose promoted instance fails while there is a file.
const dual = `#!/bin/sh
run=/run/dual
[ "$1" = monitor ] || [ "$1" = meta-data ] || echo "$1" >>/var/lib/diary
case $1 in
start) echo 0 >$run; crm_attribute --promotion -v 10;;
stop) rm -f $run /run/dual-sick;;
promote) echo 8 >$run;;
demote) echo 0 >$run; rm -f /run/dual-sick;;
monitor) [ -e $run ] || exit 7; [ ! -e /run/dual-sick ] || { echo "ocf-exit-reason:it does not answer any more" >&2; exit 9; }; exit $(cat $run);;
*) exit 3;;
esac
`

// With on-fail=demote a promoted instance that fails is demoted, and promoted again; it is never stopped.
func TestDemoteOnFailure(t *testing.T) {
	needAgent(t, "heartbeat", "Dummy", "resource-agents")
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.PutAgent("dual", dual))
	must(t, c.Load(t.Context(), `property stonith-enabled=false
rsc_defaults failure-backoff=0
primitive db ocf:lab:dual op monitor interval=1s role=Promoted on-fail=demote op monitor interval=3s role=Unpromoted
clone dbs db meta promotable=true
`))
	one := func(s *api.Status) string {
		if p := promoted(s, "dbs"); len(p) == 1 && cluster.Quiet(s) {
			return p[0]
		}
		return ""
	}
	s := await(t, c, "one to be promoted", func(s *api.Status) bool { return one(s) != "" })
	node := one(s)
	_, err := c.Node(node).Exec(t.Context(), "touch", "/run/dual-sick")
	must(t, err)
	await(t, c, "the failure to be told, the instance demoted, and one promoted", func(s *api.Status) bool {
		n, why := failure(s, "db", node)
		return n != "" && why == "it does not answer any more" && strings.HasPrefix(diaryOf(t, c, node), "start, promote, demote") && one(s) != ""
	})
	if d := diaryOf(t, c, node); strings.Contains(d, "stop") {
		t.Errorf("it was stopped: %s", d)
	}
}
