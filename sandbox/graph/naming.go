package graph

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// circumstances collects what a resource's computed outputs are made of: where its provider works and how names are made.
func (m *monitor) circumstances(r *Resource) circumstances {
	account, region := m.place(r.Options.Provider)
	return circumstances{
		typ: r.Type, urn: r.URN, name: r.Name, inputs: r.Inputs,
		account: account, region: region, partition: partition(region),
		autoname: func(limit int, valid string) string { return m.autoname(r, limit, valid) },
	}
}

// place is the account and region that a provider works in: an explicit provider's own inputs, or the stack's config.
func (m *monitor) place(provider string) (account, region string) {
	account, region = m.runs.settings.account, m.cfg["aws:region"]
	inputs := map[string]any{"assumeRole": jsonValue(m.cfg["aws:assumeRole"]), "assumeRoles": jsonValue(m.cfg["aws:assumeRoles"])}
	if provider != "" {
		m.mu.Lock()
		if explicit, ok := m.resources[provider]; ok {
			inputs = explicit.Inputs
		}
		m.mu.Unlock()
	}
	if explicit, ok := inputs["region"].(string); ok && explicit != "" {
		region = explicit
	}
	if found := roleAccount.FindStringSubmatch(fmt.Sprint(inputs["assumeRole"], inputs["assumeRoles"])); found != nil {
		account = found[1]
	}
	if region == "" {
		region = "us-east-1"
		m.note("no region is configured (aws:region): us-east-1 stands in")
	}
	return account, region
}

var roleAccount = regexp.MustCompile(`arn:aws[a-z-]*:iam::(\d{12}):role/`)

func jsonValue(text string) any {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return nil
	}
	return value
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// autonaming is the value of the config key pulumi:autonaming, as Pulumi's documentation describes it.
type autonaming struct {
	Mode      string                `json:"mode"`
	Pattern   string                `json:"pattern"`
	Enforce   bool                  `json:"enforce"`
	Providers map[string]autonaming `json:"providers"`
	Resources map[string]autonaming `json:"resources"`
}

// autoname is the physical name that Pulumi gives a resource: by the project's pattern, or the logical name and seven
// hexadecimal digits. The digits depend on the URN alone, so that every run gives the same name.
func (m *monitor) autoname(r *Resource, limit int, valid string) string {
	var rule autonaming
	_ = json.Unmarshal([]byte(m.cfg["pulumi:autonaming"]), &rule) // absent: the default rule
	pkg, _, _ := strings.Cut(r.Type, ":")
	if of, ok := rule.Providers[pkg]; ok {
		if one, ok := of.Resources[r.Type]; ok {
			of = one
		}
		rule = of
	}
	var name string
	switch {
	case rule.Pattern != "":
		name = m.pattern(rule.Pattern, r)
	case rule.Mode == "verbatim":
		name = r.Name
	default:
		suffix := "-" + characters(r.URN, 7, alphabets["hex"])
		name = r.Name
		if over := len(name) + len(suffix) - limit; over > 0 {
			name = name[:max(0, len(name)-over)]
		}
		name += suffix
	}
	if valid == lower {
		name = strings.ToLower(name)
	}
	if len(name) > limit {
		m.note("the name %q of %s is longer than the %d characters that AWS allows", name, r.URN, limit)
	}
	return name
}

var placeholders = regexp.MustCompile(`\$\{([^}]+)\}`)

func (m *monitor) pattern(pattern string, r *Resource) string {
	return placeholders.ReplaceAllStringFunc(pattern, func(match string) string {
		word := match[2 : len(match)-1]
		switch word {
		case "name":
			return r.Name
		case "stack":
			return m.stack
		case "project":
			return m.runs.project.Name
		case "organization":
			return organization
		case "uuid":
			return circumstances{urn: r.URN}.value("uuid", nil)
		}
		if key, ok := strings.CutPrefix(word, "config."); ok {
			return m.cfg[m.runs.project.key(key)]
		}
		alphabet, rest, _ := strings.Cut(word, "(")
		n, err := strconv.Atoi(strings.TrimSuffix(rest, ")"))
		characterSet := map[string]string{
			"hex": alphabets["hex"], "num": alphabets["digits"], "string": "abcdefghijklmnopqrstuvwxyz",
			"alphanum": "abcdefghijklmnopqrstuvwxyz0123456789",
		}[alphabet]
		if err != nil || characterSet == "" {
			m.note("pulumi:autonaming holds %s, which is not known here", match)
			return match
		}
		return characters(r.URN, n, characterSet)
	})
}
