// Package clock gives the sandbox its time: the machine's own, run faster.
package clock

import (
	"time"

	"github.com/jonboulle/clockwork"
)

// Clock is the time that every part of the sandbox reads and waits on. In tests it is a clockwork.FakeClock.
type Clock = clockwork.Clock

// Scaled returns a clock that starts at the present moment and runs factor times as fast as the machine's own, so that the
// bake times and intervals of a stack's config stay the real ones and still pass in seconds. A factor of 1 is real time; a
// factor below 1 is refused by the caller, who knows the flag that it came from.
func Scaled(factor float64) Clock {
	if factor == 1 {
		return clockwork.NewRealClock()
	}
	return &scaled{real: clockwork.NewRealClock(), start: time.Now(), factor: factor}
}

// Real returns how long d of c's time lasts on the machine's own clock: what is waited for outside the sandbox, such as the
// end of a process, knows only that one.
func Real(c Clock, d time.Duration) time.Duration {
	if c, ok := c.(*scaled); ok {
		return c.short(d)
	}
	return d
}

// Lasting returns how much of c's time passes while d passes on the machine's own clock.
func Lasting(c Clock, d time.Duration) time.Duration {
	if c, ok := c.(*scaled); ok {
		return time.Duration(float64(d) * c.factor)
	}
	return d
}

type scaled struct {
	real   clockwork.Clock
	start  time.Time
	factor float64
}

func (c *scaled) short(d time.Duration) time.Duration { return time.Duration(float64(d) / c.factor) }

func (c *scaled) at(real time.Time) time.Time {
	return c.start.Add(time.Duration(float64(real.Sub(c.start)) * c.factor))
}

func (c *scaled) Now() time.Time                  { return c.at(c.real.Now()) }
func (c *scaled) Since(t time.Time) time.Duration { return c.Now().Sub(t) }
func (c *scaled) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }
func (c *scaled) Sleep(d time.Duration)           { c.real.Sleep(c.short(d)) }

func (c *scaled) After(d time.Duration) <-chan time.Time { return c.NewTimer(d).Chan() }

func (c *scaled) NewTimer(d time.Duration) clockwork.Timer {
	out := make(chan time.Time, 1)
	return &timer{clock: c, out: out, Timer: c.real.AfterFunc(c.short(d), func() { c.tell(out) })}
}

func (c *scaled) AfterFunc(d time.Duration, f func()) clockwork.Timer {
	return &timer{clock: c, Timer: c.real.AfterFunc(c.short(d), f)}
}

func (c *scaled) NewTicker(d time.Duration) clockwork.Ticker {
	t := &ticker{clock: c, out: make(chan time.Time, 1), done: make(chan struct{}), Ticker: c.real.NewTicker(c.short(d))}
	go t.run()
	return t
}

// tell offers the present moment without ever waiting for a reader, as the standard library's timers do.
func (c *scaled) tell(out chan<- time.Time) {
	select {
	case out <- c.Now():
	default:
	}
}

type timer struct {
	clockwork.Timer
	clock *scaled
	out   chan time.Time
}

func (t *timer) Chan() <-chan time.Time     { return t.out }
func (t *timer) Reset(d time.Duration) bool { return t.Timer.Reset(t.clock.short(d)) }

type ticker struct {
	clockwork.Ticker
	clock *scaled
	out   chan time.Time
	done  chan struct{}
}

func (t *ticker) run() {
	for {
		select {
		case <-t.Ticker.Chan():
			t.clock.tell(t.out)
		case <-t.done:
			return
		}
	}
}

func (t *ticker) Chan() <-chan time.Time { return t.out }
func (t *ticker) Reset(d time.Duration)  { t.Ticker.Reset(t.clock.short(d)) }
func (t *ticker) Stop() {
	t.Ticker.Stop()
	close(t.done)
}
