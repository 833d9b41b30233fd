package world

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheDocumentationNamesWhatIsPassedOver(t *testing.T) {
	page, err := os.ReadFile("../../docs/sandbox.md")
	require.NoError(t, err)
	for prefix, reason := range passed {
		assert.Contains(t, string(page), fmt.Sprintf("| `%s` | %s |\n", prefix, reason))
	}
}
