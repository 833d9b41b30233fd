package adapter_test

import "strings"

// suffix is what follows a part of an ARN.
func suffix(arn, part string) string {
	_, after, _ := strings.Cut(arn, part)
	return after
}
