package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// Project is a Pulumi project: its name and the configuration of each of its stacks.
type Project struct {
	// Name is the project's name, the namespace of its config keys.
	Name string
	// Dir is the folder of Pulumi.yaml; empty for a project that New made.
	Dir    string
	stacks map[string]stackConfig
}

type stackConfig struct {
	values  map[string]string
	secrets []string
}

// New makes a project of values instead of files: stack name to config, keys with their namespace ("aws:region"); a key
// without one belongs to the project, as in a stack's file.
func New(name string, stacks map[string]map[string]string) *Project {
	p := &Project{Name: name, stacks: map[string]stackConfig{}}
	for stack, values := range stacks {
		p.stacks[stack] = stackConfig{values: p.namespaced(values)}
	}
	return p
}

// Load reads Pulumi.yaml and every Pulumi.<stack>.yaml of a folder as Pulumi itself does: keys without a namespace belong to
// the project, objects become JSON text, the project's schema gives defaults and types. An encrypted value is not decrypted
// (that would take a passphrase): it is the text "[secret]" and marked as a secret. All problems are reported at once, each
// with the file and the key.
func Load(dir string) (*Project, error) {
	file := filepath.Join(dir, "Pulumi.yaml")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no Pulumi.yaml in %s: run this in the project's folder, or name it", absolute(dir))
	}
	declared, err := workspace.LoadProject(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, declared.StackConfigDir, "Pulumi.*.yaml"))
	if err != nil {
		return nil, err
	}
	p := &Project{Name: string(declared.Name), Dir: dir, stacks: map[string]stackConfig{}}
	var problems []error
	for _, file := range files {
		stack := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
		read, err := p.read(declared, file, stack)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		p.stacks[stack] = read
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return p, nil
}

// Stacks returns the names of the project's stacks, sorted.
func (p *Project) Stacks() []string { return slices.Sorted(maps.Keys(p.stacks)) }

// Config returns a copy of a stack's configuration, nil for a stack that is not there.
func (p *Project) Config(stack string) map[string]string { return maps.Clone(p.stacks[stack].values) }

func (p *Project) namespaced(values map[string]string) map[string]string {
	full := make(map[string]string, len(values))
	for key, value := range values {
		full[p.key(key)] = value
	}
	return full
}

func (p *Project) key(key string) string {
	if strings.Contains(key, ":") {
		return key
	}
	return p.Name + ":" + key
}

// read takes one stack's file and the project's schema together.
func (p *Project) read(declared *workspace.Project, file, stack string) (stackConfig, error) {
	var warnings strings.Builder
	sink := diag.DefaultSink(io.Discard, &warnings, diag.FormatOptions{Color: colors.Never})
	contents, err := workspace.LoadProjectStack(sink, declared, file)
	if err != nil {
		return stackConfig{}, fmt.Errorf("%s: %w", file, err)
	}
	if warnings.Len() > 0 {
		return stackConfig{}, fmt.Errorf("%s: %s", file, strings.TrimSpace(warnings.String()))
	}
	read := stackConfig{values: map[string]string{}}
	decrypted, err := contents.Config.Decrypt(placeholder{})
	if err != nil {
		return stackConfig{}, fmt.Errorf("%s: %w", file, err)
	}
	for key, value := range decrypted {
		read.values[key.String()] = value
	}
	for _, key := range contents.Config.SecureKeys() {
		read.secrets = append(read.secrets, key.String())
	}

	var problems []error
	for _, name := range slices.Sorted(maps.Keys(declared.Config)) {
		schema, key := declared.Config[name], p.key(name)
		if schema.Secret && !slices.Contains(read.secrets, key) {
			read.secrets = append(read.secrets, key)
		}
		if text, set := read.values[key]; set {
			if err := check(schema, text); err != nil && !slices.Contains(read.secrets, key) {
				problems = append(problems, fmt.Errorf("%s: %s: %w", file, key, err))
			}
			continue
		}
		given := schema.Value
		if given == nil {
			given = schema.Default
		}
		if given == nil {
			if schema.IsExplicitlyTyped() {
				problems = append(problems, fmt.Errorf("%s: %s is missing: set it to a value of the type %s",
					file, key, workspace.InferFullTypeName(schema.TypeName(), schema.Items)))
			}
			continue
		}
		text, err := configText(given)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: the default of %s: %w", file, key, err))
			continue
		}
		read.values[key] = text
	}
	slices.Sort(read.secrets)
	return read, errors.Join(problems...)
}

// check tells whether a value, as config text, is of the type that the project's schema declares.
func check(schema workspace.ProjectConfigType, text string) error {
	if !schema.IsExplicitlyTyped() {
		return nil
	}
	typ := schema.TypeName()
	var value any = text
	if typ != "string" {
		decoder := json.NewDecoder(strings.NewReader(text))
		if err := decoder.Decode(&value); err != nil {
			value = text
		}
		if number, ok := value.(float64); ok && typ == "integer" && number == float64(int(number)) {
			value = int(number)
		}
	}
	if !workspace.ValidateConfigValue(typ, schema.Items, value) {
		return fmt.Errorf("%q is not of the type %s", text, workspace.InferFullTypeName(typ, schema.Items))
	}
	return nil
}

// configText gives a value of the project file the form in which config reaches a program: text, or JSON.
func configText(value any) (string, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}

// placeholder answers Secret for every encrypted value.
type placeholder struct{}

func (placeholder) DecryptValue(context.Context, string) (string, error) { return Secret, nil }

func (placeholder) BatchDecrypt(_ context.Context, ciphertexts []string) ([]string, error) {
	plain := make([]string, len(ciphertexts))
	for i := range plain {
		plain[i] = Secret
	}
	return plain, nil
}

var _ config.Decrypter = placeholder{}

func absolute(dir string) string {
	if path, err := filepath.Abs(dir); err == nil {
		return path
	}
	return dir
}
