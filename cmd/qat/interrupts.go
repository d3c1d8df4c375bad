package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
)

// interrupts is what Ctrl-C does. Where a command has something to save, the first
// ends its context; elsewhere, and the second time, it ends the process at once.
type interrupts struct {
	saves atomic.Bool
	stop  func()
}

// interruptsKey is where a context keeps them.
type interruptsKey struct{}

// withInterrupts returns a context that ends by Ctrl-C. They are to be stopped.
func withInterrupts(parent context.Context, stderr io.Writer) (context.Context, *interrupts) {
	ctx, cancel := context.WithCancel(parent)
	i := &interrupts{}
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
			switch {
			case n > 1:
				exit(stderr, "stopped at once")
			case !i.saves.Load():
				exit(stderr, "interrupted; nothing was saved")
			}
			fmt.Fprintln(stderr, "qat: finishing the step; Ctrl-C again stops at once")
			cancel()
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
func savesNow(ctx context.Context) {
	if i, ok := ctx.Value(interruptsKey{}).(*interrupts); ok {
		i.saves.Store(true)
	}
}
