package main

import (
	"math"
	"math/rand/v2"
)

// activity is how somebody moves.
type activity struct {
	name    string
	cadence float64 // strides a second
	bounce  float64 // g, up and down, twice a stride
	swing   float64 // rad/s, of the arm, once a stride
	turning float64 // rad/s, of the body, to either side
	harsh   float64 // how much of the bounce is at twice its frequency
}

var activities = []activity{
	{name: "rest"},
	{name: "stairs", cadence: 0.75, bounce: 0.28, swing: 0.9, harsh: 0.7},
	{name: "walk", cadence: 0.9, bounce: 0.25, swing: 1.3, harsh: 0.3},
	{name: "run", cadence: 1.3, bounce: 0.7, swing: 2.6, harsh: 0.2},
	{name: "turn", cadence: 0.7, bounce: 0.12, swing: 0.5, turning: 1.4, harsh: 0.4},
}

// person is somebody with a device on the wrist, in the middle of an activity.
type person struct {
	tempo, vigour float64
	lag           float64 // of the arm behind the step, in strides
	worn          [3][3]float64
	offset        [channels]float64

	activity
	phase, pace float64 // of the stride; and how the pace is now, by the person's own
	side        float64 // of turning
	posture     float64 // of the forearm, in rad
}

func newPerson(rng *rand.Rand) *person {
	p := &person{
		tempo: math.Exp(0.1 * rng.NormFloat64()), vigour: math.Exp(0.25 * rng.NormFloat64()), lag: rng.Float64(),
		worn: mul(turned(2, 0.4*rng.NormFloat64()), mul(turned(0, 0.4*rng.NormFloat64()), turned(1, 0.4*rng.NormFloat64()))),
	}
	for i := range p.offset {
		p.offset[i] = 0.06 * rng.NormFloat64()
	}
	return p
}

// begin begins another activity than the last and returns its name.
func (p *person) begin(last string, rng *rand.Rand) string {
	for p.name == last {
		p.activity = activities[rng.IntN(len(activities))]
	}
	p.pace = math.Exp(0.08 * rng.NormFloat64())
	p.posture = 0.4 * rng.NormFloat64()
	p.side = float64(2*rng.IntN(2) - 1)
	return p.name
}

// sample is what the device measures in the next row.
func (p *person) sample(rng *rand.Rand) (out [channels]float64) {
	p.pace *= math.Exp(0.01*rng.NormFloat64() - 0.005*math.Log(p.pace)) // it wanders, and comes back
	p.phase += p.cadence * p.tempo * p.pace / rate
	angle := 2 * math.Pi * p.phase
	bounce := p.bounce * p.vigour * (math.Sin(2*angle) + p.harsh*math.Sin(4*angle+2*math.Pi*p.lag))
	swing := p.swing * math.Sqrt(p.vigour) * math.Sin(angle+2*math.Pi*p.lag)
	// The arm swings about y, and so gravity swings in x and z.
	lean := p.posture + 0.2*swing
	acc := [3]float64{-math.Sin(lean), 0.3 * p.bounce * math.Sin(angle), math.Cos(lean) + bounce}
	gyr := [3]float64{0.3 * swing * math.Sin(2*angle), swing, p.side * p.turning * p.tempo}
	for i := range 3 {
		acc[i] += 0.05 * rng.NormFloat64()
		gyr[i] += 0.15 * rng.NormFloat64()
	}
	acc, gyr = apply(p.worn, acc), apply(p.worn, gyr)
	for i := range 3 {
		out[i], out[3+i] = acc[i]+p.offset[i], gyr[i]+p.offset[3+i]
	}
	return out
}

// turned is the rotation about axis i.
func turned(i int, angle float64) (m [3][3]float64) {
	j, k := (i+1)%3, (i+2)%3
	s, c := math.Sincos(angle)
	m[i][i], m[j][j], m[k][k] = 1, c, c
	m[j][k], m[k][j] = -s, s
	return m
}

func apply(m [3][3]float64, v [3]float64) (out [3]float64) {
	for i := range 3 {
		for k := range 3 {
			out[i] += m[i][k] * v[k]
		}
	}
	return out
}

func mul(a, b [3][3]float64) (out [3][3]float64) {
	for j := range 3 {
		column := apply(a, [3]float64{b[0][j], b[1][j], b[2][j]})
		for i := range 3 {
			out[i][j] = column[i]
		}
	}
	return out
}
