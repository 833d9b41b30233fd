package world

import (
	"fmt"

	"github.com/penguinshop/delivery/sandbox/journal"
)

// note tells people of something that is not as in AWS, or not as it should be.
func (w *World) note(text string) {
	w.Journal.Add(journal.Entry{Service: "world", Kind: "note", Text: text})
}

// tellColours says each change of a listener's weights, which the load balancer tells by target group, by environment and
// colour.
func (w *World) tellColours() {
	entries, unsubscribe := w.Journal.Subscribe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range entries {
			byGroup, _ := e.Fields["weights"].(map[string]int32)
			if e.Service != "elb" || e.Kind != "weights" {
				continue
			}
			for _, environment := range w.Environments {
				if e.Fields["arn"] != environment.ListenerARN {
					continue
				}
				shares := map[string]int{}
				for group, weight := range byGroup {
					shares[group] = int(weight)
				}
				now := environment.shares(shares)
				w.Journal.Add(journal.Entry{Service: "world", Environment: environment.Name, Kind: "weights",
					Text:   fmt.Sprintf("%s: blue %d, green %d", environment.Name, now.Blue, now.Green),
					Fields: map[string]any{"blue": now.Blue, "green": now.Green}})
			}
		}
	}()
	w.onClose("the journal's reader", func() error {
		unsubscribe()
		<-done
		return nil
	})
}
