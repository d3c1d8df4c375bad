package dataset

import (
	"fmt"
	"slices"
)

// groupTries are how many ways of sharing out groups are looked at.
const groupTries = 64

// grouping is the groups of an index, by number.
type grouping struct {
	names   []string
	sizes   []int   // series of each group
	classes [][]int // series of each group and class
	of      []int   // the group of each series
}

func (x *Index) grouping() *grouping {
	number := func(names []string) (of []int, sorted []string) {
		of = make([]int, x.n)
		seen := map[string]bool{}
		for _, name := range names {
			seen[name] = true
		}
		at := map[string]int{}
		sorted = sortedClasses(seen)
		for i, name := range sorted {
			at[name] = i
		}
		for i, name := range names {
			of[i] = at[name]
		}
		return of, sorted
	}
	class, classes := number(x.Labels)
	of, groups := number(x.Groups)
	g := &grouping{names: groups, sizes: make([]int, len(groups)), classes: make([][]int, len(groups)), of: of}
	for i := range g.classes {
		g.classes[i] = make([]int, max(len(classes), 1))
	}
	for i := range x.n {
		g.sizes[of[i]]++
		g.classes[of[i]][class[i]]++
	}
	return g
}

// splitGroups shares out whole groups: of 64 seeded ways the one whose training
// part has the most classes, then whose other parts do, then whose sizes are
// nearest to those asked for.
func (x *Index) splitGroups(parts *Partition, o SplitOptions) error {
	if x.Groups == nil {
		return x.fault("a split by group, but %w: name the group column, or split by series", ErrNoGroups)
	}
	g := x.grouping()
	if n := len(g.sizes); n < o.parts() {
		return x.fault("%s cannot make %d parts, want a group or more for each", plural(n, "group"), o.parts())
	}
	wanted := []int{share(o.Test, x.n), share(o.Validation, x.n)}
	var best []int // the part of each group: 0 test, 1 validation, 2 train
	var bestCost []int
	for try := range groupTries {
		part := g.deal(Shuffle(len(g.sizes), o.Seed, splitRound-try), wanted)
		cost := g.cost(part, wanted)
		if best == nil || slices.Compare(cost, bestCost) < 0 {
			best, bestCost = part, cost
		}
	}
	lists := []*[]int{&parts.Test, &parts.Validation, &parts.Train}
	for i, group := range g.of {
		list := lists[best[group]]
		*list = append(*list, i)
	}
	parts.Notes = append(parts.Notes, g.notes(best)...)
	return nil
}

// notes name the groups of the parts that are not for training.
func (g *grouping) notes(part []int) (notes []string) {
	for p, name := range []string{"test", "validation"} {
		var in []string
		for group, of := range part {
			if of == p {
				in = append(in, g.names[group])
			}
		}
		if len(in) > 0 {
			notes = append(notes, fmt.Sprintf("the %s part is %d of %s: %s", name, len(in), plural(len(part), "group"), listed(in)))
		}
	}
	return notes
}

// deal gives groups, in order, to test, then to validation, then to train: to a
// part as long as that brings its size nearer to what is wanted, and one in any
// case, as long as there is one left for each part after it.
func (g *grouping) deal(order []int, wanted []int) []int {
	part := make([]int, len(order))
	for i := range part {
		part[i] = len(wanted)
	}
	next := 0
	for p, want := range wanted {
		after := 1
		for _, w := range wanted[p+1:] {
			if w > 0 {
				after++
			}
		}
		size := 0
		for want > 0 && next < len(order)-after {
			more := size + g.sizes[order[next]]
			if size > 0 && distance(more, want) >= distance(size, want) {
				break
			}
			part[order[next]] = p
			size = more
			next++
		}
	}
	return part
}

func distance(a, b int) int { return max(a-b, b-a) }

// cost is what is bad about a way, the worst first.
func (g *grouping) cost(part []int, wanted []int) []int {
	sizes := make([]int, len(wanted)+1)
	has := make([][]bool, len(wanted)+1)
	for p := range has {
		has[p] = make([]bool, len(g.classes[0]))
	}
	for group, p := range part {
		sizes[p] += g.sizes[group]
		for c, n := range g.classes[group] {
			has[p][c] = has[p][c] || n > 0
		}
	}
	train, others, off := 0, 0, 0
	for p := range has {
		lacks := 0
		for _, one := range has[p] {
			if !one {
				lacks++
			}
		}
		switch {
		case p == len(wanted):
			train = lacks
		case wanted[p] > 0:
			others += lacks
			off += distance(sizes[p], wanted[p])
		}
	}
	return []int{train, others, off}
}
