package stacks

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzConfig holds that any value of any key is read, or refused with its path and an example.
func FuzzConfig(f *testing.F) {
	for _, seed := range []struct{ key, text string }{
		{"rollout", `{"steps":[{"weight":10,"bakeSeconds":60},{"weight":100}],"probes":{"identity":{"path":"/version"}}}`},
		{"rollout", `{"probes":{"identity":{"field":7},"paths":[null,"/"]}}`}, {"rollout", `[]`}, {"rollout", ``},
		{"service", `{"cpu":256.5,"minimum":-1,"environment":{"A":1}}`}, {"environments", `[{"name":"dev"},7,null]`},
		{"accept", `[{"rule":"plain-http"}]`}, {"production", "maybe"}, {"logRetentionDays", "1e9"}, {"https", `{"domain":{}}`},
	} {
		f.Add(seed.key, seed.text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
			if key(field) != name {
				continue
			}
			p := &problems{project: "penguinshop"}
			if value, err := parse(text, field.Type); err == nil {
				fill(reflect.New(field.Type).Elem(), value, field, name, p)
			}
			for _, problem := range p.list {
				assert.True(t, strings.HasPrefix(problem.Path, "penguinshop:"+name), problem.Path)
				assert.NotEmpty(t, problem.What)
			}
		}
	})
}
