package elb

import (
	"math/rand/v2"
	"strings"
	"time"
)

const hexDigits = "0123456789abcdef"

// trace returns the X-Amzn-Trace-Id header that goes to the target: a Root field where the request has none, a Self field in
// front of one that it has. The time in it is the machine's own, as people compare it with other logs.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
func trace(sent []string) string {
	given := strings.Join(sent, ";")
	if !strings.Contains(given, "Root=") {
		if given == "" {
			return traceField("Root=", "")
		}
		return traceField("Root=", ";"+given)
	}
	return traceField("Self=", ";"+given)
}

// traceField is NAME=1-SECONDS-ID: eight hexadecimal digits of the epoch's seconds and 24 random ones.
func traceField(name, rest string) string {
	var text [128]byte
	field := append(text[:0], name...)
	field = append(field, "1-"...)
	field = appendHex(field, uint64(time.Now().Unix()), 8)
	field = append(field, '-')
	field = appendHex(field, rand.Uint64(), 16)
	field = appendHex(field, rand.Uint64(), 8)
	return string(append(field, rest...))
}

func appendHex(to []byte, value uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		to = append(to, hexDigits[value>>(4*i)&0xf])
	}
	return to
}
