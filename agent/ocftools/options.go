package ocftools

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// options reads a command line as getopt does: long and short names, values in the next argument, after '=' or attached to a
// short name, and several short names in one argument. The last of an option given twice counts.
type options struct {
	set      *flag.FlagSet
	bools    map[string]bool
	optional []string // names whose value may be missing
	given    map[string]bool
	help     bool
}

func newOptions() *options {
	o := &options{set: flag.NewFlagSet("", flag.ContinueOnError), bools: map[string]bool{}, given: map[string]bool{}}
	o.set.SetOutput(io.Discard)
	o.set.Usage = func() {}
	o.bool(&o.help, "help", "h")
	return o
}

// text adds an option with a value; the first name is the one that has asks for.
func (o *options) text(to *string, names ...string) {
	for _, n := range names {
		o.set.Func(n, "", func(s string) error {
			*to = s
			o.given[names[0]] = true
			return nil
		})
	}
}

func (o *options) bool(to *bool, names ...string) {
	for _, n := range names {
		o.bools[n] = true
		o.set.BoolFunc(n, "", func(string) error {
			*to = true
			o.given[names[0]] = true
			return nil
		})
	}
}

// maybe adds an option whose value may be missing.
func (o *options) maybe(to *string, names ...string) {
	o.text(to, names...)
	o.optional = append(o.optional, names...)
}

// has says whether an option was given, by the first of its names.
func (o *options) has(name string) bool { return o.given[name] }

// ignored adds options that are taken and mean nothing here.
func (o *options) ignored() {
	var no string
	var yes bool
	o.text(&no, "output-as")
	o.text(&no, "output-to")
	o.bool(&yes, "text-fancy")
	o.bool(&yes, "verbose", "V")
}

// parse reads the arguments. Arguments that belong to no option are refused.
func (o *options) parse(c *call) error {
	err := o.set.Parse(o.expand(c.args))
	switch {
	case errors.Is(err, flag.ErrHelp), o.help:
		fmt.Fprintf(c.stdout, "%s of paceline: %s\n", c.name, strings.Join(o.names(), " "))
		return failure{code: exitOK}
	case err != nil:
		return fail(exitUsage, "%v", err)
	case o.set.NArg() > 0:
		return fail(exitUsage, "%q belongs to no option", o.set.Arg(0))
	}
	return nil
}

func (o *options) names() []string {
	var out []string
	o.set.VisitAll(func(f *flag.Flag) {
		dash := "--"
		if len(f.Name) == 1 {
			dash = "-"
		}
		out = append(out, dash+f.Name)
	})
	return out
}

// expand takes short options that are written together apart, and gives options without their optional value an empty one.
func (o *options) expand(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		name, _, valued := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case !strings.HasPrefix(arg, "-") || arg == "-" || arg == "--":
			return append(out, args[i:]...)
		case strings.HasPrefix(arg, "--") || len(arg) == 2:
		default: // -Gq, -lreboot
			for rest := arg[1:]; rest != ""; rest = rest[1:] {
				if !o.bools[rest[:1]] {
					out = append(out, "-"+rest[:1]+"="+rest[1:])
					if len(rest) == 1 && i+1 < len(args) && !slices.Contains(o.optional, rest) {
						i++
						out[len(out)-1] += args[i]
					}
					break
				}
				out = append(out, "-"+rest[:1])
			}
			continue
		}
		switch {
		case valued || o.bools[name] || o.set.Lookup(name) == nil:
			out = append(out, arg)
		case slices.Contains(o.optional, name) && (i+1 == len(args) || strings.HasPrefix(args[i+1], "-")):
			out = append(out, arg+"=")
		case i+1 < len(args):
			out = append(out, arg+"="+args[i+1])
			i++
		default:
			out = append(out, arg)
		}
	}
	return out
}
