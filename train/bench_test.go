package train

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkEpoch is an epoch, and its time a series, which is the same for any number
// of series and nearly so for any batch: an epoch is linear in both. It is linear in
// layers too, but that the last, which is trimmed, costs less than the others.
//
//	go test ./train -run xxx -bench Epoch
func BenchmarkEpoch(b *testing.B) {
	type sizes struct{ series, layers, batch int }
	usual := sizes{series: 512, layers: 2, batch: 32}
	run := func(name string, s sizes) {
		b.Run(name, func(b *testing.B) {
			c := Defaults()
			c.Model.NumLayers, c.BatchSize, c.Epochs = s.layers, s.batch, maxCount
			t, err := New(c, toySet(s.series, 1), nil)
			require.NoError(b, err)
			epoch := func() {
				for e, err := range t.Steps(context.Background()) {
					if err != nil {
						b.Fatal(err)
					}
					if e.EpochEnd {
						return
					}
				}
			}
			epoch() // makes the programs
			for b.Loop() {
				epoch()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*s.series), "ns/series")
		})
	}
	for _, n := range []int{256, 512, 1024, 2048} {
		s := usual
		s.series = n
		run(fmt.Sprintf("series=%d", n), s)
	}
	for _, n := range []int{1, 2, 4, 8} {
		s := usual
		s.layers = n
		run(fmt.Sprintf("layers=%d", n), s)
	}
	for _, n := range []int{8, 16, 32, 64, 128} {
		s := usual
		s.batch = n
		run(fmt.Sprintf("batch=%d", n), s)
	}
}
