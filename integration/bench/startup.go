package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// startup measures what the command line costs by itself: commands that ask no daemon, from the start of the process to its end.
func (b *bench) startup(ctx context.Context) error {
	b.printf("\n## The command line's own time\n\nFrom the start of the process to its end, without a daemon; milliseconds; %d times each. The aim is 15, the bound 50.\n", b.runs)
	b.printf("\n| command | min | median | p99 | max | processor, median |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, words := range [][]string{{"version"}, {"help"}, {"__complete", "resource", ""}, {"configure", "convert", "--to", "xml"}} {
		var took, used sample
		for range b.runs {
			cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "paceline"), words...)
			cmd.Stdin = strings.NewReader("primitive web systemd:nginx op monitor interval=10s\n")
			begin := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("paceline %s: %w: %s", strings.Join(words, " "), err, out)
			}
			took = append(took, time.Since(begin))
			used = append(used, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		}
		b.printf("| `%s` | %s | %s |\n", strings.Join(words, " "), took.row(), ms(used.at(0.5)))
	}
	return nil
}
