package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// team are the goroutines that help in Parallel. One that has nothing to do looks for
// work for a while, for the next call comes soon, and then ends: none is left over.
var team pool

type pool struct {
	mu   sync.Mutex
	idle []*seat // of goroutines that look for work
	jobs []*job  // that nobody refers to
	free []*seat // of goroutines that ended
}

// seat is where an idle goroutine finds its next job.
type seat struct {
	job  atomic.Pointer[job]
	help func()   // a helper's life, from the job that is there
	_    [48]byte // a cache line to itself: it is read over and over
}

// patience is how long a goroutine looks for what it waits for before it gives way.
const patience = 50 * time.Microsecond

// jobsKept is how many jobs wait to be used again.
const jobsKept = 64

// job is one call of Parallel.
type job struct {
	f       func(lo, hi int)
	n       int
	parts   int
	next    atomic.Int32  // the first part that nobody has taken
	left    atomic.Int32  // parts that are not done
	holders atomic.Int32  // goroutines that may still look at it
	done    chan struct{} // told when the last part is
}

// begin hands a job to helpers; the caller is one of parts goroutines.
func (p *pool) begin(n, parts int, f func(lo, hi int)) *job {
	p.mu.Lock()
	var j *job
	if last := len(p.jobs) - 1; last >= 0 {
		j, p.jobs = p.jobs[last], p.jobs[:last]
	} else {
		j = &job{done: make(chan struct{}, 1)}
	}
	j.f, j.n, j.parts = f, n, parts
	j.next.Store(0)
	j.left.Store(int32(parts))
	j.holders.Store(int32(parts))
	helpers := parts - 1
	for ; helpers > 0 && len(p.idle) > 0; helpers-- {
		last := len(p.idle) - 1
		p.idle[last].job.Store(j)
		p.idle = p.idle[:last]
	}
	for range helpers {
		var s *seat
		if last := len(p.free) - 1; last >= 0 {
			s, p.free = p.free[last], p.free[:last]
		} else {
			s = &seat{}
			s.help = func() { p.help(s) }
		}
		s.job.Store(j)
		go s.help()
	}
	p.mu.Unlock()
	return j
}

// run does parts of a job until there are none, and lets go of it unless it is the
// caller's.
func (j *job) run() {
	for {
		part := int(j.next.Add(1)) - 1
		if part >= j.parts {
			return
		}
		j.f(part*j.n/j.parts, (part+1)*j.n/j.parts)
		if j.left.Add(-1) == 0 {
			j.done <- struct{}{}
		}
	}
}

// wait returns when every part is done; the job is then no longer the caller's.
func (j *job) wait() {
	spin(func() bool { return j.left.Load() == 0 })
	<-j.done
	team.release(j)
}

// release lets go of a job; the last to do so keeps it for another call.
func (p *pool) release(j *job) {
	if j.holders.Add(-1) > 0 {
		return
	}
	j.f = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.jobs) < jobsKept {
		p.jobs = append(p.jobs, j)
	}
}

// help is a helper's life.
func (p *pool) help(s *seat) {
	for j := s.job.Load(); j != nil; j = p.rise(s) {
		j.run()
		p.release(j)
		p.sit(s)
		spin(func() bool { return s.job.Load() != nil })
	}
	p.mu.Lock()
	p.free = append(p.free, s)
	p.mu.Unlock()
}

// sit makes a seat known.
func (p *pool) sit(s *seat) {
	s.job.Store(nil)
	p.mu.Lock()
	p.idle = append(p.idle, s)
	p.mu.Unlock()
}

// rise takes a seat away and returns the job that it was given, nil for none.
func (p *pool) rise(s *seat) *job {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.idle {
		if other == s {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return nil
		}
	}
	return s.job.Load() // whoever took the seat left it there
}

// spin looks until holds or patience is over.
func spin(holds func() bool) {
	for end := time.Now().Add(patience); ; {
		for range 100 {
			if holds() {
				return
			}
		}
		if time.Now().After(end) {
			return
		}
		runtime.Gosched()
	}
}
