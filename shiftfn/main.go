// Command shiftfn is the Lambda function that moves the traffic of one environment from one version to the next.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/handler"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	h, err := wire(context.Background(), log)
	if err != nil {
		log.Error("the function cannot start", "error", err)
		fmt.Fprintln(os.Stderr, "shiftfn:", err)
		os.Exit(1)
	}
	lambda.Start(h.Invoke)
}

func wire(ctx context.Context, log *slog.Logger) (*handler.Handler, error) {
	s, err := settings.Parse(os.Getenv(settings.Variable))
	if err != nil {
		return nil, err
	}
	clients, err := adapter.AWS(ctx)
	if err != nil {
		return nil, err
	}
	clients.HTTP = &http.Client{
		// An answer is judged as it comes: a redirect is not followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return handler.New(s, clients, clock{}, log)
}

// clock is the machine's.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
