package cib

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Whatever change comes in as JSON: it is refused, or gives a state that can be checked, written and read, and the state that
// it was applied to is as it was.
func FuzzChange(f *testing.F) {
	base, _, err := Decode(strings.NewReader(small))
	if err != nil {
		f.Fatal(err)
	}
	before, err := json.Marshal(base)
	if err != nil {
		f.Fatal(err)
	}
	value := "v"
	for _, ch := range []Change{
		{Configure: &Configure{Configuration: base.Configuration}}, {SetOption: &SetOption{Name: "batch-limit", Value: &value}}, {SetNodeAttr: &SetNodeAttr{Node: "a", Name: "n", Value: &value}},
		{NodeStatus: &NodeStatus{ID: "1", Uname: "a", CRMD: "online"}}, {ForgetOps: &ForgetOps{NodeID: "1", Resource: "w"}}, {PutNode: &PutNode{ID: "1", Uname: "a"}},
		{Batch: []Change{{SetQuorum: &SetQuorum{HaveQuorum: true}}, {DropNode: &DropNode{Uname: "alpha"}}}}, {ClearNode: &ClearNode{ID: "1"}}, {SetTransient: &SetTransient{NodeID: "1", Name: "x", Value: &value}},
	} {
		text, err := json.Marshal(ch)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"configure":{"configuration":{"resources":[null]}}}`))
	f.Add([]byte(`{"configure":{"configuration":{"resources":[{"id":"g","kind":"group","children":[{"id":"g"},null]}],"constraints":[null,{}],"nodes":[null]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var ch Change
		if json.Unmarshal(text, &ch) != nil {
			return
		}
		after, err := Apply(base, ch)
		if now, _ := json.Marshal(base); !bytes.Equal(now, before) {
			t.Fatalf("the state before was changed:\n%s\n%s", before, now)
		}
		if err != nil {
			return
		}
		Validate(after)
		Diff(&base.Configuration, &after.Configuration)
		var out bytes.Buffer
		if err := Encode(&out, after); err != nil {
			return // a character that XML has not
		}
		if _, _, err := Decode(&out); err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out.String())
		}
	})
}
