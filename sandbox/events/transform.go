package events

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// template is an input transformer's: JSON in which placeholders such as <state> stand for parts of the event. Within a JSON
// string a placeholder is filled in as text, elsewhere as a value.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
type template struct {
	paths map[string]string
	text  string
}

var placeholder = regexp.MustCompile(`<([A-Za-z0-9_.-]+)>`)

// predefined are the placeholders that need no path, each with what it stands for.
var predefined = map[string]func(r *rule, event []byte, now time.Time) any{
	"aws.events.rule-arn":             func(r *rule, _ []byte, _ time.Time) any { return r.arn },
	"aws.events.rule-name":            func(r *rule, _ []byte, _ time.Time) any { return r.name },
	"aws.events.event.ingestion-time": func(_ *rule, _ []byte, now time.Time) any { return now.UTC().Format(time.RFC3339) },
	"aws.events.event.json":           func(_ *rule, event []byte, _ time.Time) any { return json.RawMessage(event) },
}

// mostPaths is how many placeholders of its own a transformer may have.
const mostPaths = 100

// readTemplate checks an input transformer: its paths, and that each placeholder of the template is one of them or predefined.
func readTemplate(t *types.InputTransformer) (template, error) {
	read := template{paths: t.InputPathsMap, text: aws.ToString(t.InputTemplate)}
	if read.text == "" {
		return read, fmt.Errorf("InputTemplate is missing")
	}
	if len(read.paths) > mostPaths {
		return read, fmt.Errorf("InputPathsMap holds %d paths: %d are allowed", len(read.paths), mostPaths)
	}
	for name, at := range read.paths {
		if !path.MatchString(at) {
			return read, fmt.Errorf("InputPathsMap %s: the sandbox imitates paths such as $.detail.state, not %s", name, at)
		}
	}
	for _, found := range placeholder.FindAllStringSubmatch(read.text, -1) {
		_, own := read.paths[found[1]]
		if _, given := predefined[found[1]]; !own && !given {
			return read, fmt.Errorf("InputTemplate has the placeholder %s, which InputPathsMap does not name", found[0])
		}
	}
	blank := read.fill(func(string) any { return "" })
	for line := range strings.Lines(string(blank)) {
		if !json.Valid(blank) && !json.Valid([]byte(line)) {
			return read, fmt.Errorf("InputTemplate is neither JSON nor lines of JSON strings: %s", strings.TrimSpace(line))
		}
	}
	return read, nil
}

// fill puts a value in the place of each placeholder.
func (t template) fill(value func(name string) any) []byte {
	var filled strings.Builder
	within, last := false, 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(t.text, -1) {
		before := t.text[last:at[0]]
		within = within != odd(before)
		filled.WriteString(before)
		text, err := json.Marshal(value(t.text[at[2]:at[3]]))
		if err != nil {
			text = []byte(`""`) // parts of an event always marshal
		}
		switch {
		case !within:
			filled.Write(text)
		case text[0] == '"':
			filled.Write(text[1 : len(text)-1])
		default: // a number, an object or an array, as text
			quoted, _ := json.Marshal(string(text))
			filled.Write(quoted[1 : len(quoted)-1])
		}
		last = at[1]
	}
	filled.WriteString(t.text[last:])
	return []byte(filled.String())
}

// odd tells whether a piece of JSON holds an odd number of quotation marks that begin or end a string.
func odd(piece string) bool {
	count := 0
	for i := 0; i < len(piece); i++ {
		switch piece[i] {
		case '\\':
			i++
		case '"':
			count++
		}
	}
	return count%2 == 1
}

// transform is what a target is given of an event. A placeholder whose path leads nowhere is filled in as empty.
func (t template) transform(r *rule, event []byte, now time.Time) []byte {
	return t.fill(func(name string) any {
		if given, is := predefined[name]; is {
			return given(r, event, now)
		}
		if part := lookUp(event, t.paths[name]); part != nil {
			return part
		}
		return ""
	})
}

// lookUp returns the part of an event at a path, nil where there is none.
func lookUp(event []byte, path string) json.RawMessage {
	part := json.RawMessage(event)
	for _, name := range slices.Collect(strings.SplitSeq(path, "."))[1:] {
		var object map[string]json.RawMessage
		if json.Unmarshal(part, &object) != nil || object[name] == nil {
			return nil
		}
		part = object[name]
	}
	return part
}
