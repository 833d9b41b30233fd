package stacks

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/penguinshop/delivery/components"
)

// mostExceptions keeps what a build is told within what DeliveryPipeline allows: most names have 14 characters, the longest 40.
const mostExceptions = 80

var findingName = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Za-z0-9-]{1,60}$`)

func checkScan(s Scan, p *problems) {
	if len(s.Exceptions) > mostExceptions {
		p.add("scan.exceptions", fmt.Sprintf("has %d entries; at most %d are allowed", len(s.Exceptions), mostExceptions),
			"a newer build.baseImage, which needs fewer")
	}
	seen := map[string]int{}
	for i, e := range s.Exceptions {
		at := fmt.Sprintf("scan.exceptions[%d]", i)
		if e.ID != "" && !findingName.MatchString(e.ID) {
			p.add(at+".id", fmt.Sprintf("is %q, which is not a finding's name", e.ID), "CVE-2023-45853")
		}
		if first, twice := seen[e.ID]; twice && e.ID != "" {
			p.add(at+".id", fmt.Sprintf("is %q, which scan.exceptions[%d] has already", e.ID, first), "each finding once")
		} else {
			seen[e.ID] = i
		}
		if e.Reason != "" && len(strings.TrimSpace(e.Reason)) < reasonLength {
			p.add(at+".reason", fmt.Sprintf("is %q, which is not a reason that a person could judge", e.Reason), `"minizip is not used"`)
		}
		if _, err := time.Parse(time.DateOnly, e.Until); e.Until != "" && err != nil {
			p.add(at+".until", fmt.Sprintf("is %q, which is not a day", e.Until), "2026-12-31")
		}
	}
}

// scanGate is the gate as the pipeline's component takes it; the reasons stay in config.
func scanGate(s Scan) components.ScanGate {
	gate := components.ScanGate{FailOn: s.FailOn}
	for _, e := range s.Exceptions {
		gate.Exceptions = append(gate.Exceptions, components.ScanException{ID: e.ID, Until: e.Until})
	}
	return gate
}
