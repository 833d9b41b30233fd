package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// confirm asks on stderr and reads the answer from stdin. Only y and yes mean yes. Without a terminal nobody can be asked: the flag must
// say it.
func confirm(c *cobra.Command, question, flag string) error {
	in := c.InOrStdin()
	if file, ok := in.(*os.File); ok && !term.IsTerminal(int(file.Fd())) {
		return usageError{fmt.Errorf("nobody can be asked here, since stdin is no terminal: give %s to go on. Nothing was changed", flag)}
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s [y/N] ", question)
	answer, err := read(c.Context(), in)
	if err != nil {
		fmt.Fprintln(c.ErrOrStderr())
		return err
	}
	switch strings.ToLower(answer) {
	case "y", "yes":
		return nil
	}
	fmt.Fprintln(c.ErrOrStderr(), "shiftctl: nothing was changed")
	return endedError{exitRefused}
}

// read takes one line. The reading goes on behind when the context ends first, since a read of a terminal cannot be taken back.
func read(ctx context.Context, in io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(in).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil // what was typed so far; nothing means no
		}
		lines <- line{strings.TrimSpace(text), err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l := <-lines:
		return l.text, l.err
	}
}
