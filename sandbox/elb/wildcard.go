package elb

// wildcard is a comparison string of a rule's condition: * matches any characters or none, ? exactly one.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
type wildcard struct {
	symbols []int16
	fold    bool
}

const (
	anything int16 = -1
	anyOne   int16 = -2
)

// newWildcard reads a comparison string. fold ignores the case of letters; escapes lets a backslash take the meaning from the
// character after it, as query string conditions have it.
func newWildcard(text string, fold, escapes bool) wildcard {
	w := wildcard{fold: fold}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case escapes && c == '\\' && i+1 < len(text):
			i++
			w.symbols = append(w.symbols, w.symbol(text[i]))
		case c == '*':
			w.symbols = append(w.symbols, anything)
		case c == '?':
			w.symbols = append(w.symbols, anyOne)
		default:
			w.symbols = append(w.symbols, w.symbol(c))
		}
	}
	return w
}

func (w wildcard) symbol(c byte) int16 {
	if w.fold && 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return int16(c)
}

// wild counts the wildcard characters, of which a rule may have only so many.
func (w wildcard) wild() int {
	var n int
	for _, s := range w.symbols {
		if s < 0 {
			n++
		}
	}
	return n
}

// matches compares without going back further than the last *, so that no pattern takes more than len(pattern) * len(text).
func (w wildcard) matches(text string) bool {
	at, star, resume := 0, -1, 0
	for i := 0; i < len(text); {
		switch {
		case at < len(w.symbols) && w.symbols[at] == anything:
			star, resume = at, i
			at++
		case at < len(w.symbols) && (w.symbols[at] == anyOne || w.symbols[at] == w.symbol(text[i])):
			at++
			i++
		case star >= 0:
			resume++
			at, i = star+1, resume
		default:
			return false
		}
	}
	for at < len(w.symbols) && w.symbols[at] == anything {
		at++
	}
	return at == len(w.symbols)
}
