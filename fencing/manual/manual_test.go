package manual

import (
	"strings"
	"testing"
	"time"
)

func TestConfirmation(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	c := Confirmation{Node: "n3", User: "ada", At: at}
	if err := c.Check(false); err != nil {
		t.Error(err)
	}
	for want, err := range map[string]error{
		"no node is named":      Confirmation{User: "ada"}.Check(false),
		"nobody answers":        Confirmation{Node: "n3"}.Check(false),
		"it is heard right now": c.Check(true),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	r := c.Record()
	if r.Target != "n3" || r.Action != "off" || r.Device != Device || r.Origin != "user ada" || r.State != "ok" || r.Started != at.UnixMilli() {
		t.Errorf("record %+v", r)
	}
	if d := c.Done(time.Time{}); !d.OK || d.Device != Device || !d.Started.Equal(at) {
		t.Errorf("done %+v", d)
	}
}
