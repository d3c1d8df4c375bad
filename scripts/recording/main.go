// Command recording writes a made-up recording as CSV: what a device on the wrist of
// several persons measured, a row a time step, with what each person was doing.
//
//	go run ./scripts/recording > mine.csv
//
// A session is a person. Persons differ in how they wear the device, in tempo and in
// vigour, so that a model which has met a person has it easier with that person than
// with another: the accuracy on sessions that were not trained on is the honest one.
// The file is a function of the seed alone.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
)

func main() {
	sessions := flag.Int("sessions", 12, "persons")
	seed := flag.Uint64("seed", 1, "of all that is drawn")
	flag.Parse()
	if flag.NArg() > 0 || *sessions < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(os.Stdout, *sessions, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

// header names the columns: seconds, acceleration in g, rate of turning in rad/s.
const header = "session,seconds,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z,activity\n"

const (
	channels = 6
	rate     = 25   // rows a second
	rows     = 2500 // of a session
	// lostOften is how often a sensor begins to say nothing, a row, for up to
	// lostLong rows.
	lostOften = 0.0005
	lostLong  = 12
	// between is the rows between two activities, which nobody has named.
	between = 12
)

// write writes the recording.
func write(to io.Writer, sessions int, seed uint64) error {
	w := bufio.NewWriter(to)
	w.WriteString(header)
	for s := range sessions {
		// Its own source: a session is the same however many there are.
		writeSession(w, fmt.Sprintf("p%02d", s+1), rand.New(rand.NewPCG(seed, uint64(s))))
	}
	return w.Flush() // an error of any write before is found here
}

// writeSession writes what one person did: activities one after another, each for 4
// to 16 seconds, every one as often as another but for chance.
func writeSession(w *bufio.Writer, name string, rng *rand.Rand) {
	p := newPerson(rng)
	var lost [2]int // rows that a sensor has yet to say nothing
	doing, left := "", 0
	for row := range rows {
		if left == 0 {
			doing, left = p.begin(doing, rng), 4*rate+rng.IntN(12*rate)
		}
		left--
		sample := p.sample(rng)
		for i := range lost {
			if lost[i] > 0 {
				lost[i]--
			} else if rng.Float64() < lostOften {
				lost[i] = 1 + rng.IntN(lostLong)
			}
		}
		fmt.Fprintf(w, "%s,%.2f", name, float64(row)/rate)
		for i, v := range sample {
			w.WriteByte(',')
			if lost[i/3] == 0 {
				w.WriteString(strconv.FormatFloat(v, 'f', 3, 64))
			}
		}
		w.WriteByte(',')
		if left >= between {
			w.WriteString(doing)
		}
		w.WriteByte('\n')
	}
}
