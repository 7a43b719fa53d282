package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"paceline/integration/bench/report"
)

// heading is that of the section of the document that the program writes.
const heading = "## Planning"

const head = `| cluster | state | file MiB | actions | simulate CPU s | peak MiB | plan alone ms | allocated MiB | crm_simulate CPU s | peak MiB | ratio |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`

// line is the row as Markdown.
func (r row) line() string {
	peer := fmt.Sprintf("%s | %.0f | %.0f", seconds(r.peer.cpu), mib(r.peer.memory), float64(r.peer.cpu)/float64(r.simulate.cpu))
	if r.peerSays != "" {
		peer = r.peerSays + " | – | –"
	}
	return fmt.Sprintf("| %d %s x %d nodes | %s | %.1f | %d | %s | %.0f | %.1f | %.1f | %s |", r.shape.resources, r.shape.kind, r.shape.nodes,
		r.shape.state(), mib(r.file), r.actions, seconds(r.simulate.cpu), mib(r.simulate.memory),
		float64(r.plan.CPU.Microseconds())/1000, mib(r.plan.Bytes), peer)
}

func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.3f", d.Seconds())
	}
	return fmt.Sprintf("%.1f", d.Seconds())
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// section is the part of the document about planning.
func (b *bench) section() string {
	var out strings.Builder
	fmt.Fprintf(&out, `%s

Made by `+"`make bench-scheduler`"+` with %d processors. Primitives come in fours (one prefers a node, two are colocated, one comes after
another), each with a recurring monitor; clones run everywhere. Cold: nothing runs yet, so that every resource is probed on every node
and started. Steady: everything runs, and nothing is left to do. A run is `+"`paceline simulate --cib FILE --output json`"+`, and for the same file
`+"`crm_simulate -R -x FILE`"+`; of both the processor time and the peak memory of the whole process, the best of %d where it is below %s.
Plan alone is the processor time of the function in a process that has read the file. The ratio is that of the processor times of the whole runs.
crm_simulate is ended after %s of processor time, and not asked again for clusters that are larger in every way. Clusters with more than %d
(cold) or %d (steady) pairs of a resource and a node are left out.

`, heading, runtime.NumCPU(), briefRuns, briefMax, b.limit, coldMax, steadyMax)
	out.WriteString(head)
	for _, r := range b.rows {
		out.WriteString(r.line() + "\n")
	}
	return out.String()
}

// write puts the section into the document.
func (b *bench) write(path string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(path, []byte(report.Merge(string(old), b.section())), 0o644)
}
