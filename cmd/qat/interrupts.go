package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
)

// interrupts is what Ctrl-C does. Where a command has something to save, the first
// ends its context; elsewhere, and the second time, it ends the process at once.
type interrupts struct {
	sync.Mutex
	saves bool
	said  string // where the process ends at once
	stop  func()
}

// interruptsKey is where a context keeps them.
type interruptsKey struct{}

// withInterrupts returns a context that ends by Ctrl-C. They are to be stopped.
func withInterrupts(parent context.Context, stderr io.Writer) (context.Context, *interrupts) {
	ctx, cancel := context.WithCancel(parent)
	i := &interrupts{said: "interrupted; nothing was saved"}
	arrived, over := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(arrived, os.Interrupt)
	i.stop = func() {
		signal.Stop(arrived)
		close(over)
		cancel()
	}
	go func() {
		for n := 1; ; n++ {
			select {
			case <-over:
				return
			case <-arrived:
			}
			i.Lock()
			switch {
			case n > 1:
				exit(stderr, "stopped at once")
			case !i.saves:
				exit(stderr, i.said)
			}
			fmt.Fprintln(stderr, "qat: finishing the step; Ctrl-C again stops at once")
			cancel()
			i.Unlock()
		}
	}()
	return context.WithValue(ctx, interruptsKey{}, i), i
}

// exit ends the process as a shell reports Ctrl-C.
func exit(stderr io.Writer, why string) {
	fmt.Fprintln(stderr, "qat:", why)
	os.Exit(statusInterrupted)
}

// savesNow says that from now on Ctrl-C is to leave time to save.
func savesNow(ctx context.Context) { setInterrupts(ctx, true, "") }

// savedAll says that there is nothing more to save, and what to say at Ctrl-C. One that
// came before has ended ctx by then.
func savedAll(ctx context.Context, said string) { setInterrupts(ctx, false, said) }

func setInterrupts(ctx context.Context, saves bool, said string) {
	if i, ok := ctx.Value(interruptsKey{}).(*interrupts); ok {
		i.Lock()
		defer i.Unlock()
		i.saves, i.said = saves, said
	}
}
