package plan

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// briefLength bounds a value in a list of changes.
const briefLength = 120

// brief is a value on one line.
func brief(value any) string {
	if value == nil {
		return "nothing"
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "?"
	}
	return ansi.Truncate(strings.TrimSpace(text.String()), briefLength, "…")
}

// stripped is text without colours.
func stripped(text string) string { return ansi.Strip(text) }
