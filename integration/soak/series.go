package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Series is one figure of one node over time.
type Series struct {
	Name   string // of the node
	At     []time.Duration
	Values []float64
}

func (s *Series) add(at time.Duration, v float64) {
	s.At = append(s.At, at)
	s.Values = append(s.Values, v)
}

// sum adds series up that were sampled at the same times.
func sum(all []Series) Series {
	out := Series{Name: "all", At: all[0].At, Values: make([]float64, len(all[0].Values))}
	for _, s := range all {
		for i, v := range s.Values {
			out.Values[i] += v
		}
	}
	return out
}

// Rule says when a figure counts as flat: what its trend adds in the judged time is at most Share of its median, or at most
// Least, whichever is more.
type Rule struct {
	Share float64
	Least float64
}

// Verdict is how a series fares by a rule.
type Verdict struct {
	Median float64
	Trend  float64 // what the trend adds over the judged time
	Most   float64 // largest value
	Flat   bool
}

// warmUp is the share of the time that is not judged: caches, pools and files fill up to what they need.
const warmUp = 0.25

// Judge judges a series. The trend is the median of the slopes between all pairs of samples (Theil and Sen): single peaks do
// not move it, and a steady growth does.
func (r Rule) Judge(s Series) (Verdict, error) {
	if len(s.At) == 0 {
		return Verdict{}, fmt.Errorf("%s has no samples", s.Name)
	}
	from := time.Duration(warmUp * float64(s.At[len(s.At)-1]))
	first := slices.IndexFunc(s.At, func(d time.Duration) bool { return d >= from })
	at, values := s.At[first:], s.Values[first:]
	if len(at) < samplesMin {
		return Verdict{}, fmt.Errorf("%s: %d samples after the warm-up are too few to judge", s.Name, len(at))
	}
	var slopes []float64
	for i := range at {
		for j := i + 1; j < len(at); j++ {
			slopes = append(slopes, (values[j]-values[i])/(at[j]-at[i]).Seconds())
		}
	}
	v := Verdict{Median: median(values), Most: slices.Max(values)}
	v.Trend = median(slopes) * (at[len(at)-1] - at[0]).Seconds()
	v.Flat = v.Trend <= math.Max(r.Share*v.Median, r.Least)
	return v, nil
}

// samplesMin is how many samples a trend needs.
const samplesMin = 8

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
