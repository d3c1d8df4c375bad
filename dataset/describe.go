package dataset

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Description is what data holds, counted.
type Description struct {
	Name     string            `json:"name"`
	Series   int               `json:"series"`
	Steps    Lengths           `json:"steps"`
	Channels []ChannelSummary  `json:"channels"`
	Classes  []Count           `json:"classes,omitempty"`
	Groups   []Count           `json:"groups,omitempty"`
	Targets  []ChannelSummary  `json:"targets,omitempty"`
	Window   int               `json:"window,omitempty"`
	Stride   int               `json:"stride,omitempty"`
	Horizon  int               `json:"horizon,omitempty"`
	Notes    []string          `json:"notes,omitempty"`
	Skipped  Skipped           `json:"skipped,omitzero"`
	lengths  map[int]int       // how many series have a length
	classes  map[string]int    // how many a class
	groups   map[string]int    // and a group
	moments  *ScalerFit        // of the channels
	targets  *ScalerFit        // of the targets
	ranges   [2][]([2]float32) // of channels and targets
}

// Lengths are the shortest, the middle and the longest, in steps. Of an even
// number of series the middle is the shorter of two.
type Lengths struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	Max    int `json:"max"`
}

// Count is how many series have a name.
type Count struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// ChannelSummary is what a channel holds. Its numbers are 0 if all its values
// are missing.
type ChannelSummary struct {
	Name    string  `json:"name"`
	Missing int64   `json:"missing"`
	Values  int64   `json:"values"` // that are not missing
	Min     float32 `json:"min"`
	Max     float32 `json:"max"`
	Mean    float64 `json:"mean"`
	Std     float64 `json:"std"` // 1 if constant, as a Scaler has it
}

// Describe reads all of s and counts, holding a series at a time.
func Describe(s *Stream) (*Description, error) {
	d := &Description{Name: s.Name, Window: s.Window, Stride: s.Stride, Horizon: s.Horizon, Notes: s.Notes}
	d.start(s.Channels, s.Outputs)
	for one, err := range s.All() {
		if err != nil {
			return nil, err
		}
		d.add(one)
	}
	d.Skipped = s.Skipped()
	d.finish(s.Channels, s.Classes)
	return d, nil
}

// Describe counts what the collection holds.
func (c *Collection) Describe() *Description {
	d := &Description{Name: c.Name, Window: c.Window, Stride: c.Stride, Horizon: c.Horizon, Notes: c.Notes, Skipped: c.Skipped}
	d.start(c.Channels, c.Outputs)
	for _, one := range c.Series {
		d.add(one)
	}
	d.finish(c.Channels, c.Classes)
	return d
}

func (d *Description) start(channels []string, outputs int) {
	d.lengths, d.classes, d.groups = map[int]int{}, map[string]int{}, map[string]int{}
	d.moments, d.targets = NewScalerFit(len(channels)), NewScalerFit(outputs)
	for i, n := range []int{len(channels), outputs} {
		for range n {
			d.ranges[i] = append(d.ranges[i], [2]float32{float32(math.Inf(1)), float32(math.Inf(-1))})
		}
	}
}

func (d *Description) add(one Series) {
	d.Series++
	d.lengths[one.Steps]++
	if one.Label != "" {
		d.classes[one.Label]++
	}
	if one.Group != "" {
		d.groups[one.Group]++
	}
	d.moments.Add(one.Values)
	d.targets.Add(one.Targets)
	for i, values := range [][]float32{one.Values, one.Targets} {
		for k, v := range values {
			if r := &d.ranges[i][k%len(d.ranges[i])]; v == v {
				r[0], r[1] = min(r[0], v), max(r[1], v)
			}
		}
	}
}

// finish turns what was counted into what is shown.
func (d *Description) finish(channels, classes []string) {
	all := make([]int, 0, len(d.lengths))
	for length := range d.lengths {
		all = append(all, length)
	}
	slices.Sort(all)
	if len(all) > 0 {
		d.Steps = Lengths{Min: all[0], Max: all[len(all)-1]}
	}
	before := 0
	for _, length := range all {
		if before += d.lengths[length]; 2*before >= d.Series {
			d.Steps.Median = length
			break
		}
	}
	d.Classes = counted(d.classes, classes)
	d.Groups = counted(d.groups, nil)
	d.Channels = summaries(channels, d.moments, d.ranges[0])
	d.Targets = summaries(numbered("target", len(d.ranges[1])), d.targets, d.ranges[1])
}

// counted lists counts in the order of names, or sorted.
func counted(counts map[string]int, names []string) []Count {
	if names == nil {
		seen := map[string]bool{}
		for name := range counts {
			seen[name] = true
		}
		names = sortedClasses(seen)
	}
	var out []Count
	for _, name := range names {
		out = append(out, Count{name, counts[name]})
	}
	return out
}

func summaries(names []string, fit *ScalerFit, ranges [][2]float32) []ChannelSummary {
	var out []ChannelSummary
	scale := fit.Scaler()
	for i, name := range names {
		s := ChannelSummary{Name: name, Missing: fit.missing[i], Values: fit.count[i]}
		if s.Values > 0 {
			s.Min, s.Max, s.Mean, s.Std = ranges[i][0], ranges[i][1], scale.Mean[i], scale.Std[i]
		}
		out = append(out, s)
	}
	return out
}

// String is the description as text, a fact a line.
func (d *Description) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	line("data", "%s", d.Name)
	line("series", "%d", d.Series)
	if d.Steps.Min == d.Steps.Max {
		line("steps", "%d each", d.Steps.Min)
	} else {
		line("steps", "%d to %d, median %d", d.Steps.Min, d.Steps.Max, d.Steps.Median)
	}
	if d.Window > 0 {
		line("windows", "of %d steps, every %d, horizon %d", d.Window, d.Stride, d.Horizon)
	}
	for _, list := range []struct {
		name, unit string
		all        []ChannelSummary
	}{{"channels", "channel", d.Channels}, {"targets", "target", d.Targets}} {
		if len(list.all) == 0 {
			continue
		}
		line(list.name, "%d", len(list.all))
		for _, c := range list.all {
			line("", "%-16s mean %.4g, std %.4g, %.4g to %.4g, %d missing", c.Name, c.Mean, c.Std, c.Min, c.Max, c.Missing)
		}
	}
	for _, list := range []struct {
		name string
		all  []Count
	}{{"classes", d.Classes}, {"groups", d.Groups}} {
		if len(list.all) == 0 {
			continue
		}
		line(list.name, "%d", len(list.all))
		for _, c := range list.all {
			line("", "%-16s %d", c.Name, c.Count)
		}
	}
	if d.Skipped.Unlabelled+d.Skipped.Short > 0 {
		line("left out", "%s without label or target, %s too short", plural(d.Skipped.Unlabelled, "window"), plural(d.Skipped.Short, "run"))
	}
	for _, note := range d.Notes {
		line("note", "%s", note)
	}
	return b.String()
}
