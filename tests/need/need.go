// Package need says what a test waits for that a machine may lack. In CI everything must be there.
package need

import (
	"os"
	"testing"
)

// Missing ends a test that cannot run here: in CI, where nobody reads of a skip, it fails, and elsewhere it is skipped. The words
// follow "this test needs": what it waits for, and how to get it.
func Missing(t testing.TB, format string, values ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("this test needs "+format, values...)
	}
	t.Skipf("this test needs "+format, values...)
}
