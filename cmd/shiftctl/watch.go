package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/penguinshop/delivery/operator"
)

func watchCommand(o *options) *cobra.Command {
	var interval time.Duration
	var wait bool
	c := &cobra.Command{
		Use:   "watch [ENVIRONMENT]",
		Short: "Follow what is under way until it has ended",
		Long: `Watch shows the status anew every few seconds until nothing is under way any
more, and tells by its exit code how it ended. On a terminal it redraws; piped,
it writes one line for each change, and with --json one JSON object for each.
Where nothing is under way it ends at once, unless --wait has it wait for the
next release.`,
		Example: "  shiftctl watch prod\n  shiftctl watch prod --wait && notify 'prod is live'\n  shiftctl watch --sandbox | tee shift.log",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if interval < 500*time.Millisecond || interval > time.Minute {
				return usageError{fmt.Errorf("--interval %s: it goes from 500ms to 1m, such as 2s", interval)}
			}
			d, err := o.delivery(c.Context(), named(args))
			if err != nil {
				return err
			}
			v := &view{page: pageOf(c.OutOrStdout()), json: o.json, said: map[string]string{}}
			endings, err := d.Watch(c.Context(), interval, wait, v.show)
			if err != nil {
				return err
			}
			return ended(c, d, endings)
		},
	}
	c.Flags().DurationVar(&interval, "interval", 2*time.Second, "time between two looks, 500ms to 1m")
	c.Flags().BoolVar(&wait, "wait", false, "wait for the next release when nothing is under way")
	return c
}

// ended tells how the rollouts ended that were seen, and turns the worst end into the exit code.
func ended(c *cobra.Command, d *operator.Delivery, endings map[string]*operator.Ending) error {
	if len(endings) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "shiftctl: nothing is under way; --wait waits for the next release")
		return nil
	}
	code := 0
	for _, e := range d.Environments {
		ending, seen := endings[e.Name]
		switch {
		case !seen:
		case ending == nil:
			fmt.Fprintf(c.ErrOrStderr(), "shiftctl: %s: it has ended, but how could not be read; look with `shiftctl status %s`\n", e.Name, e.Name)
			code = max(code, exitFailed)
		default:
			fmt.Fprintf(c.ErrOrStderr(), "shiftctl: %s: %s: %s\n", e.Name, ending.Outcome, firstOf(ending.Message))
			switch {
			case ending.Outcome.NeedsPerson():
				code = max(code, exitPerson)
			case !ending.Outcome.Good():
				code = max(code, exitRolledBack)
			}
		}
	}
	if code > 0 {
		return endedError{code}
	}
	return nil
}

// view shows statuses one after the other.
type view struct {
	page
	json bool
	// said is the last line of each environment, without what changes all the time.
	said map[string]string
	// drawn are the lines that stand on the terminal.
	drawn []string
}

func (v *view) show(all []operator.Status) {
	if v.terminal && !v.json {
		v.page = pageOf(v.out) // a window may have become another size
		v.redraw(all)
		return
	}
	for _, s := range all {
		key, words := change(s)
		if v.said[s.Environment] == key {
			continue
		}
		v.said[s.Environment] = key
		if !v.json {
			fmt.Fprintf(v.out, "%s %s %s\n", s.At.Local().Format(time.TimeOnly), s.Environment, words)
		} else if object, err := json.Marshal(s); err == nil {
			fmt.Fprintln(v.out, string(object))
		}
	}
}

// redraw writes the page over the one before.
func (v *view) redraw(all []operator.Status) {
	var buffer bytes.Buffer
	fresh := v.page
	fresh.out = &buffer
	fresh.status(all)
	for _, s := range all {
		for _, trouble := range s.Trouble {
			fresh.line("trouble", s.Environment+": "+trouble)
		}
	}
	switch rows := v.rows(v.drawn); {
	case rows == 0:
	case rows < v.height || v.height == 0:
		fmt.Fprintf(v.out, "\x1b[%dA\x1b[J", rows)
	default: // what has scrolled away cannot be written over
		fmt.Fprint(v.out, "\x1b[H\x1b[2J")
	}
	v.drawn = strings.Split(strings.TrimSuffix(buffer.String(), "\n"), "\n")
	_, _ = v.out.Write(buffer.Bytes()) // a terminal that is gone has no reader
}

// rows is how many rows of the terminal the lines take: one that is too long goes on in the next row.
func (v *view) rows(lines []string) int {
	n := 0
	for _, line := range lines {
		n += max(1, (text.StringWidthWithoutEscSequences(line)+v.width-1)/v.width)
	}
	return n
}

// change is a status in one line, and the part of it whose change is worth another line: not the passing of time.
func change(s operator.Status) (key, words string) {
	var parts []string
	if s.Weights != nil {
		parts = append(parts, s.Weights.String())
	} else if s.Strategy != operator.Rolling {
		parts = append(parts, "weights unknown")
	}
	for _, side := range s.Sides {
		what := fmt.Sprintf("%s %s/%s tasks", side.Colour, count(side.Running), count(side.Desired))
		if side.Targets != nil {
			what += fmt.Sprintf(" %d healthy", side.Targets.Healthy)
		}
		parts = append(parts, strings.TrimSpace(what))
	}
	key = strings.Join(parts, "; ")
	words = key
	if r := s.Rollout; r != nil {
		key += fmt.Sprint(r.Action, r.Phase, r.Candidate, r.Verdict, r.Commit, r.Overdue)
		words += "; " + rolloutWords(s)
	} else if s.Last != nil {
		key += fmt.Sprint(s.Last.Outcome, s.Last.At)
		words += fmt.Sprintf("; %s: %s", s.Last.Outcome, firstOf(s.Last.Message))
	}
	if s.Sleep != nil {
		words += "; " + sleepWords(s)
	}
	if len(s.Trouble) > 0 {
		key += strings.Join(s.Trouble, "; ")
		words += "; trouble: " + strings.Join(s.Trouble, "; ")
	}
	return key, words
}
