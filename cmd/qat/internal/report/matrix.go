package report

import (
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/qat-go/qat/train"
)

const (
	// tableClasses is the most for which the confusion matrix is a table with
	// numbers; beyond it is a picture.
	tableClasses = 20
	// mistakeRows is how many kinds of mistake are listed.
	mistakeRows = 5
	nameRunes   = 32
	headRunes   = 18
	// upright is the longest name that heads a column without being turned.
	upright = 3
)

// matrixView is the confusion matrix and what follows from it.
type matrixView struct {
	Label    string
	Heads    []nameView
	Turned   bool
	Rows     []matrixRow // nil if there are too many classes
	Size     int
	Dots     []matrixDot
	Mistakes []mistake
	Scores   []scoreRow
	Macro    scoreRow
}

type nameView struct{ Short, Full string }

type matrixRow struct {
	Name  nameView
	Cells []matrixCell
}

type matrixCell struct {
	Count string
	Kind  string // zero, right or wrong
	Hot   bool   // needs light text on the shade
	Shade string
	Title string
}

type matrixDot struct {
	X, Y  int
	Kind  string
	Shade string
	Title string
}

type mistake struct {
	Actual, Predicted nameView
	Count, Share      string
}

type scoreRow struct {
	Name                  nameView
	Precision, Recall, F1 string
	RecallBar             string
	PrecisionBar          string
	Support               string
}

func newMatrixView(c train.Confusion) *matrixView {
	if c.Total() == 0 {
		return nil
	}
	n := len(c.Classes)
	v := &matrixView{Size: n, Label: fmt.Sprintf("Confusion matrix of %d classes: %s of %s right", n, Count(c.Right()), Count(c.Total()))}
	for _, name := range c.Classes {
		head := nameView{short(name, headRunes), clean(name)}
		v.Turned = v.Turned || utf8.RuneCountInString(head.Short) > upright
		v.Heads = append(v.Heads, head)
	}
	scores := c.PerClass()
	for i, row := range c.Counts {
		if n <= tableClasses {
			v.Rows = append(v.Rows, newMatrixRow(c, i, scores[i].Support))
			continue
		}
		for j, k := range row {
			if k > 0 {
				cell := newMatrixCell(c, i, j, scores[i].Support)
				v.Dots = append(v.Dots, matrixDot{j, i, cell.Kind, cell.Shade, cell.Title})
			}
		}
	}
	v.Mistakes = mistakes(c, scores)
	for _, s := range scores {
		v.Scores = append(v.Scores, newScoreRow(s))
	}
	v.Macro = newScoreRow(c.Macro())
	return v
}

func newMatrixRow(c train.Confusion, i, support int) matrixRow {
	row := matrixRow{Name: nameView{short(c.Classes[i], nameRunes), clean(c.Classes[i])}}
	for j := range c.Counts[i] {
		row.Cells = append(row.Cells, newMatrixCell(c, i, j, support))
	}
	return row
}

// newMatrixCell shades a cell by its share of the row, from a least shade that is
// still seen.
func newMatrixCell(c train.Confusion, i, j, support int) matrixCell {
	k := c.Counts[i][j]
	cell := matrixCell{Count: Count(k), Kind: "zero", Shade: "0"}
	if k == 0 {
		return cell
	}
	const least = 0.12
	shade := least + (1-least)*float64(k)/float64(support)
	cell.Shade = strconv.FormatFloat(shade, 'f', 2, 64)
	cell.Hot = shade > 0.6
	actual, predicted := short(c.Classes[i], nameRunes), short(c.Classes[j], nameRunes)
	if i == j {
		cell.Kind = "right"
		cell.Title = fmt.Sprintf("%s: %s of %s right", actual, Count(k), Count(support))
	} else {
		cell.Kind = "wrong"
		cell.Title = fmt.Sprintf("%s taken for %s: %s of %s", actual, predicted, Count(k), Count(support))
	}
	return cell
}

// mistakes lists the most frequent kinds, where there is more than one kind.
func mistakes(c train.Confusion, scores []train.ClassScore) []mistake {
	type pair struct{ i, j, count int }
	var all []pair
	for i, row := range c.Counts {
		for j, k := range row {
			if i != j && k > 0 {
				all = append(all, pair{i, j, k})
			}
		}
	}
	if len(c.Classes) < 3 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b pair) int { return b.count - a.count })
	var top []mistake
	for _, p := range all[:min(len(all), mistakeRows)] {
		top = append(top, mistake{
			nameView{short(c.Classes[p.i], nameRunes), clean(c.Classes[p.i])},
			nameView{short(c.Classes[p.j], nameRunes), clean(c.Classes[p.j])},
			Count(p.count), percent(float64(p.count) / float64(scores[p.i].Support)),
		})
	}
	return top
}

func newScoreRow(s train.ClassScore) scoreRow {
	row := scoreRow{
		Name:      nameView{short(s.Class, nameRunes), clean(s.Class)},
		Precision: "–", Recall: "–", F1: "–",
		PrecisionBar: "0", RecallBar: "0",
		Support: Count(s.Support),
	}
	if s.Predicted > 0 {
		row.Precision, row.PrecisionBar = percent(s.Precision), percent(s.Precision)
	}
	if s.Support > 0 {
		row.Recall, row.RecallBar = percent(s.Recall), percent(s.Recall)
	}
	if s.Support+s.Predicted > 0 {
		row.F1 = percent(s.F1)
	}
	return row
}
