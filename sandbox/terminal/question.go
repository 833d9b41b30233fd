package terminal

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/penguinshop/delivery/sandbox/world"
)

// Answers reads a person's words from in, a line at a time. The reading goes on behind until in ends, since a read of a
// terminal cannot be taken back.
func Answers(in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- strings.TrimSpace(scanner.Text())
		}
	}()
	return lines
}

// Question shows what an approval asks, before it is answered.
func (s *Screen) Question(q world.Question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place := bold.Render(q.Stage) + " " + q.Action
	for line := range strings.Lines(q.Data) {
		s.line(place, notice.Render("?"), strings.TrimSpace(line))
		place = " "
	}
	if q.URL != "" && !strings.Contains(q.Data, q.URL) {
		s.line(place, notice.Render("?"), "look first at "+q.URL)
	}
}

// Ask puts a question and waits for y or n; anything else is asked again. It returns ctx's error when that ends first, and
// io.EOF when nobody can answer any more.
func (s *Screen) Ask(ctx context.Context, question string, answers <-chan string) (yes bool, err error) {
	for {
		s.mu.Lock()
		_, _ = fmt.Fprint(s.out, notice.Render("? ")+bold.Render(question)+" [y/n] ") // a terminal that is gone has no reader
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case answer, open := <-answers:
			if !open {
				return false, io.EOF
			}
			switch strings.ToLower(answer) {
			case "y", "yes":
				return true, nil
			case "n", "no":
				return false, nil
			}
		}
	}
}
