package plugin

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"paceline/resources"
)

// field is one parameter and the struct field that it fills.
type field struct {
	index     int
	parameter resources.Parameter
	min, max  int64
}

type fields []field

var (
	durationType = reflect.TypeFor[time.Duration]()
	addrType     = reflect.TypeFor[netip.Addr]()
)

// describe makes parameters of a struct's fields. A field is one if it has the tag ra:
//
//	ra:"name[,required][,unique][,reloadable]"   its name, and what it is
//	default, short, long                          as in meta-data
//	type                                          only where the field's own says too little (a string may be a "time")
//	values:"a|b"                                  a choice
//	min, max                                      of a whole number
//	group                                         unique only together with others of this group
//
// Fields are strings, bools, whole numbers, time.Duration and netip.Addr.
func describe[T any]() fields {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("plugin: %v is no struct", t))
	}
	var out fields
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("ra")
		if !ok {
			continue
		}
		if !f.IsExported() {
			panic(fmt.Sprintf("plugin: field %s.%s is a parameter and must begin with a capital letter", t, f.Name))
		}
		name, flags, _ := strings.Cut(tag, ",")
		p := resources.Parameter{Name: name, Default: f.Tag.Get("default"), Group: f.Tag.Get("group"), ShortDesc: f.Tag.Get("short"),
			LongDesc: f.Tag.Get("long"), Type: f.Tag.Get("type")}
		for flag := range strings.SplitSeq(flags, ",") {
			switch flag {
			case "":
			case "required":
				p.Required = true
			case "unique":
				p.Unique = true
			case "reloadable":
				p.Reloadable = true
			default:
				panic(fmt.Sprintf("plugin: field %s.%s: %q is none of required, unique, reloadable", t, f.Name, flag))
			}
		}
		if v := f.Tag.Get("values"); v != "" {
			p.Type, p.Values = "select", strings.Split(v, "|")
		}
		if p.Type == "" {
			p.Type = kindOf(f.Type)
		}
		if p.Name == "" || p.Type == "" || slices.ContainsFunc(out, func(o field) bool { return o.parameter.Name == p.Name }) {
			panic(fmt.Sprintf("plugin: field %s.%s: a parameter needs a name of its own and a type that the kit knows", t, f.Name))
		}
		x := field{index: i, parameter: p, min: bound(t, f, "min", -1<<63), max: bound(t, f, "max", 1<<63-1)}
		if p.Default != "" {
			if err := x.set(reflect.New(t).Elem().Field(i), p.Default); err != nil {
				panic(fmt.Sprintf("plugin: field %s.%s: its default: %v", t, f.Name, err))
			}
		}
		out = append(out, x)
	}
	return out
}

func bound(t reflect.Type, f reflect.StructField, tag string, none int64) int64 {
	s := f.Tag.Get(tag)
	if s == "" {
		return none
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("plugin: field %s.%s: %s: %v", t, f.Name, tag, err))
	}
	return n
}

// kindOf is the type of a field in the words of meta-data; empty if it can be no parameter.
func kindOf(t reflect.Type) string {
	switch {
	case t == durationType:
		return "time"
	case t == addrType || t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		return "integer"
	}
	return ""
}

// set puts a value into a field.
func (x field) set(v reflect.Value, s string) error {
	if p := x.parameter; len(p.Values) > 0 && !slices.Contains(p.Values, s) {
		return fmt.Errorf("%q is not one of %s", s, strings.Join(p.Values, ", "))
	}
	switch {
	case v.Type() == durationType:
		d, err := resources.ParseDuration(s)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
	case v.Type() == addrType:
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		if err != nil {
			return fmt.Errorf("%q is not an IP address", s)
		}
		v.Set(reflect.ValueOf(a.Unmap()))
	case v.Kind() == reflect.Bool:
		b, err := resources.ParseBool(s)
		if err != nil {
			return err
		}
		v.SetBool(b)
	case v.CanInt():
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		if n < x.min || n > x.max {
			return fmt.Errorf("%d is not from %d to %d", n, x.min, x.max)
		}
		v.SetInt(n)
	default:
		v.SetString(s)
	}
	return nil
}

// fill puts parameters into the fields of an agent.
func (fs fields) fill(agent Agent, meta *resources.MetaData, params map[string]string, strict bool) error {
	target := reflect.ValueOf(agent).Elem()
	for _, x := range fs {
		p := x.parameter
		s := params[p.Name]
		if s == "" {
			if p.Required {
				return fmt.Errorf("parameter %s: is required and not set", p.Name)
			}
			if s = p.Default; s == "" {
				continue
			}
		}
		err := x.set(target.Field(x.index), s)
		if err != nil && !p.Required && !strict {
			if p.Default == "" {
				continue
			}
			err = x.set(target.Field(x.index), p.Default)
		}
		if err != nil {
			return fmt.Errorf("parameter %s of %s: %w", p.Name, meta.Name, err)
		}
	}
	return nil
}

// metaData is what the agent's type and info say together.
func (info Info) metaData(fs fields, sample Agent) *resources.MetaData {
	if info.Name == "" || info.Short == "" {
		panic("plugin: an agent needs a name and a short description")
	}
	m := &resources.MetaData{Name: info.Name, OCFVersion: "1.1", AgentVersion: info.Version, ShortDesc: info.Short, LongDesc: info.Long}
	if m.LongDesc == "" {
		m.LongDesc = m.ShortDesc
	}
	if m.AgentVersion == "" {
		m.AgentVersion = "1.0"
	}
	for _, x := range fs {
		m.Parameters = append(m.Parameters, x.parameter)
	}
	add := func(names ...string) {
		for _, n := range names {
			timeout := DefaultTimeout
			if t, ok := info.Timeouts[n]; ok {
				timeout = t
			}
			m.Actions = append(m.Actions, resources.Action{Name: n, Timeout: timeout})
		}
	}
	add(resources.Start, resources.Stop, resources.Monitor)
	interval := info.Interval
	if interval == 0 {
		interval = DefaultInterval
	}
	last := len(m.Actions) - 1
	m.Actions[last].Interval = interval
	if _, ok := sample.(Promoter); ok {
		// Two monitors of one resource need two intervals.
		m.Actions[last].Role = "Unpromoted"
		promoted := m.Actions[last]
		promoted.Role, promoted.Interval = "Promoted", interval-interval/10
		m.Actions = append(m.Actions, promoted)
		add(resources.Promote, resources.Demote)
	}
	if _, ok := sample.(Reloader); ok {
		add(resources.Reload, resources.ReloadAgent)
	}
	if _, ok := sample.(Notified); ok {
		add(resources.Notify)
	}
	if _, ok := sample.(Migrator); ok {
		add(resources.MigrateTo, resources.MigrateFrom)
	}
	add(resources.ValidateAll, resources.MetaDataOp)
	return m
}
