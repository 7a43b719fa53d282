package exec

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"paceline/fencing"
)

// MetaData is what an agent says of itself, as far as running it needs.
type MetaData struct {
	Parameters []string // names, sorted
	Required   []string // of parameters without which it cannot act, sorted
	Actions    []string // names, sorted
}

// ParseMetaData reads an agent's XML. Parameters that are gone but still taken are among them.
func ParseMetaData(raw []byte) (MetaData, error) {
	var doc struct {
		XMLName    xml.Name `xml:"resource-agent"`
		Parameters []struct {
			Name     string `xml:"name,attr"`
			Required string `xml:"required,attr"`
		} `xml:"parameters>parameter"`
		Actions []struct {
			Name string `xml:"name,attr"`
		} `xml:"actions>action"`
	}
	if len(raw) > metaDataMax {
		return MetaData{}, fmt.Errorf("meta-data: longer than %d bytes", metaDataMax)
	}
	// Agents print warnings before it.
	if i := bytes.IndexByte(raw, '<'); i > 0 {
		raw = raw[i:]
	}
	if err := xml.Unmarshal(raw, &doc); err != nil {
		return MetaData{}, fmt.Errorf("meta-data: %w", err)
	}
	var m MetaData
	for _, p := range doc.Parameters {
		m.Parameters = append(m.Parameters, p.Name)
		if p.Required == "1" {
			m.Required = append(m.Required, p.Name)
		}
	}
	for _, a := range doc.Actions {
		m.Actions = append(m.Actions, a.Name)
	}
	for _, list := range []*[]string{&m.Parameters, &m.Required, &m.Actions} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return m, nil
}

// Agents names the agents in the driver's folders: executables called fence_*. Daemons and tools of the family that are
// no agents are left out.
func (d *Driver) Agents() []string {
	var out []string
	for _, dir := range d.path {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // a folder that is not there holds no agents
		}
		for _, e := range entries {
			name := e.Name()
			if !strings.HasPrefix(name, "fence_") || slices.Contains(notAgents, name) {
				continue
			}
			if _, err := d.find(name); err == nil {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// notAgents are programs whose names only look like agents'.
var notAgents = []string{"fence_ack_manual", "fence_legacy", "fence_node", "fence_tool", "fence_virtd", "fence_watchdog", "fence_sanlockd"}

// MetaData returns an agent's XML.
func (d *Driver) MetaData(ctx context.Context, agent string) ([]byte, error) {
	file, err := d.find(agent)
	if err != nil {
		return nil, err
	}
	c, err := d.ask(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", agent, err)
	}
	return c.raw, nil
}

// known returns what an agent says of itself, if it says anything.
func (d *Driver) known(ctx context.Context, file string) (MetaData, bool) {
	c, err := d.ask(ctx, file)
	if err != nil {
		d.log.Warn("fence agent without usable meta-data: it is taken to reboot, and to know its target as port", "agent", file, "cause", err)
		return MetaData{}, false
	}
	return c.meta, true
}

// ask returns what an agent says of itself. It is run once as long as its file is the same; an agent that failed to say
// is asked again after metaDataRetry.
func (d *Driver) ask(ctx context.Context, file string) (cached, error) {
	info, err := os.Stat(file)
	if err != nil {
		return cached{}, err
	}
	d.mu.Lock()
	c, ok := d.meta[file]
	d.mu.Unlock()
	if ok && c.modified.Equal(info.ModTime()) && c.size == info.Size() && (c.err == nil || time.Since(c.asked) < metaDataRetry) {
		return c, c.err
	}
	c = cached{modified: info.ModTime(), size: info.Size(), asked: time.Now()}
	c.raw, c.meta, c.err = askNow(ctx, file)
	if ctx.Err() != nil && c.err != nil {
		return c, c.err // the caller's time ran out, which says nothing about the agent
	}
	d.mu.Lock()
	d.meta[file] = c
	d.mu.Unlock()
	return c, c.err
}

// askNow runs an agent for its meta-data.
func askNow(ctx context.Context, file string) ([]byte, MetaData, error) {
	ctx, cancel := context.WithTimeout(ctx, metaDataTime)
	defer cancel()
	// Most take options as arguments too; those that do not read the same from standard input.
	out := run(ctx, file, []string{"-o", fencing.MetaData}, []byte("action="+fencing.MetaData+"\n"), metaDataMax)
	switch {
	case out.err != nil:
		return nil, MetaData{}, fmt.Errorf("meta-data: %w", out.err)
	case out.cut:
		return nil, MetaData{}, fmt.Errorf("meta-data: longer than %d bytes", metaDataMax)
	case out.code != 0:
		return nil, MetaData{}, fmt.Errorf("meta-data: exit status %d%s", out.code, out.reason(fencing.Device{}, ": "))
	}
	meta, err := ParseMetaData(out.stdout)
	return out.stdout, meta, err
}
