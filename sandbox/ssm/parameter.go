package ssm

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

type parameter struct {
	name     string
	kind     types.ParameterType
	dataType string
	tier     types.ParameterTier
	allowed  string
	versions []version // the last one is the present one; AWS keeps 100
	dropped  int64     // versions older than the first that is kept
}

type version struct {
	value    string
	modified time.Time
}

// keptVersions is how many versions of a parameter AWS keeps.
const keptVersions = 100

// The limits that PutParameter's reference gives: characters and length of a name, its levels, the bytes of a value by tier.
var (
	nameOf    = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)
	reserved  = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
	mostBytes = map[types.ParameterTier]int{types.ParameterTierStandard: 4096, types.ParameterTierAdvanced: 8192}
)

const mostLevels = 15

// PutParameter adds a parameter, or, with Overwrite, a new version of one.
func (s *Service) PutParameter(_ context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options)) (*ssm.PutParameterOutput, error) {
	imitated := []string{"Name", "Value", "Type", "Overwrite", "AllowedPattern", "DataType", "Description", "KeyId", "Tags", "Tier"}
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	name := aws.ToString(in.Name)
	if err := checkName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, there := s.parameters[name]
	if there && !aws.ToBool(in.Overwrite) {
		return nil, &types.ParameterAlreadyExists{Message: new("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")}
	}
	if there && len(in.Tags) > 0 {
		return nil, invalid("Tags can be given when a parameter is created, not when it is overwritten.")
	}
	next := parameter{name: name, kind: in.Type, dataType: aws.ToString(in.DataType), tier: in.Tier, allowed: aws.ToString(in.AllowedPattern)}
	if there {
		next.versions, next.dropped = p.versions, p.dropped
		if next.kind == "" {
			next.kind = p.kind
		}
	}
	if err := next.put(aws.ToString(in.Value), s.clock.Now()); err != nil {
		return nil, err
	}
	s.parameters[name] = &next
	return &ssm.PutParameterOutput{Version: next.latest(), Tier: next.tier}, nil
}

func checkName(name string) error {
	switch {
	case len(name) > 1011 || !nameOf.MatchString(name):
		return invalid("Parameter name %q: 1 to 1011 letters, digits and . - _ / are allowed.", name)
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return invalid("Parameter name: must be a fully qualified name: %q has levels and no slash in front.", name)
	case strings.Count(name, "/") > mostLevels:
		return &types.HierarchyLevelLimitExceededException{Message: new(fmt.Sprintf("%q has more than %d levels", name, mostLevels))}
	case reserved.MatchString(name):
		return invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	}
	return nil
}

// put checks a value against the parameter's type, tier and pattern and makes it the present one.
func (p *parameter) put(value string, now time.Time) error {
	if p.tier == "" || p.tier == types.ParameterTierIntelligentTiering {
		p.tier = types.ParameterTierStandard
		if len(value) > mostBytes[p.tier] {
			p.tier = types.ParameterTierAdvanced
		}
	}
	if p.dataType == "" {
		p.dataType = "text"
	}
	switch p.kind {
	case types.ParameterTypeString, types.ParameterTypeStringList, types.ParameterTypeSecureString:
	case "":
		return invalid("A parameter type is required when you create a parameter.")
	default:
		return &types.UnsupportedParameterType{Message: new(fmt.Sprintf("type %q: String, StringList and SecureString are allowed", p.kind))}
	}
	most, known := mostBytes[p.tier]
	switch {
	case !known:
		return invalid("tier %q: Standard, Advanced and Intelligent-Tiering are allowed", p.tier)
	case p.dataType != "text":
		return invalid("the sandbox does not imitate the data type %q: text is", p.dataType)
	case value == "":
		return invalid("Value: a parameter cannot be empty.")
	case len(value) > most:
		return invalid("Value: %d bytes; a parameter of the tier %s holds at most %d.", len(value), p.tier, most)
	}
	if p.allowed != "" {
		pattern, err := regexp.Compile("^(?:" + p.allowed + ")$")
		if err != nil {
			return &types.InvalidAllowedPatternException{Message: new(fmt.Sprintf("allowed pattern: %v", err))}
		}
		for _, item := range p.items(value) {
			if !pattern.MatchString(item) {
				return &types.ParameterPatternMismatchException{Message: new("Parameter value failed to satisfy the pattern " + p.allowed)}
			}
		}
	}
	p.versions = append(p.versions, version{value, now})
	if surplus := len(p.versions) - keptVersions; surplus > 0 {
		p.versions, p.dropped = p.versions[surplus:], p.dropped+int64(surplus)
	}
	return nil
}

func (p *parameter) items(value string) []string {
	if p.kind == types.ParameterTypeStringList {
		return strings.Split(value, ",")
	}
	return []string{value}
}

func (p *parameter) latest() int64 { return p.dropped + int64(len(p.versions)) }

// GetParameter reads a parameter by name or ARN, with an optional ":version". A SecureString is given in clear only WithDecryption.
func (s *Service) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.read(aws.ToString(in.Name), aws.ToBool(in.WithDecryption))
	if err != nil {
		return nil, err
	}
	return &ssm.GetParameterOutput{Parameter: found}, nil
}

// GetParameters reads up to ten parameters; those that do not exist are listed as invalid.
func (s *Service) GetParameters(_ context.Context, in *ssm.GetParametersInput, _ ...func(*ssm.Options)) (*ssm.GetParametersOutput, error) {
	if len(in.Names) < 1 || len(in.Names) > 10 {
		return nil, invalid("%d names: 1 to 10 are allowed", len(in.Names))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &ssm.GetParametersOutput{}
	for _, name := range in.Names {
		found, err := s.read(name, aws.ToBool(in.WithDecryption))
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		out.Parameters = append(out.Parameters, *found)
	}
	return out, nil
}

// DeleteParameter removes a parameter with all of its versions.
func (s *Service) DeleteParameter(_ context.Context, in *ssm.DeleteParameterInput, _ ...func(*ssm.Options)) (*ssm.DeleteParameterOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := aws.ToString(in.Name)
	if _, there := s.parameters[name]; !there {
		return nil, missing(name)
	}
	delete(s.parameters, name)
	return &ssm.DeleteParameterOutput{}, nil
}

// read finds what a name, a name with a version or an ARN stands for.
func (s *Service) read(wanted string, decrypt bool) (*types.Parameter, error) {
	inARN, byARN := strings.CutPrefix(wanted, s.arnPrefix())
	name, selector, _ := strings.Cut(inARN, ":")
	p, there := s.parameters[name]
	if !there && byARN {
		p, there = s.parameters["/"+name] // an ARN does not show whether the name begins with a slash
	}
	if !there {
		return nil, missing(wanted)
	}
	number := p.latest()
	if selector != "" {
		var err error
		number, err = strconv.ParseInt(selector, 10, 64)
		if err != nil || number <= p.dropped || number > p.latest() {
			return nil, &types.ParameterVersionNotFound{Message: new(fmt.Sprintf("Systems Manager could not find version %s of %s.", selector, name))}
		}
	}
	v := p.versions[number-p.dropped-1]
	value := v.value
	if p.kind == types.ParameterTypeSecureString && !decrypt {
		sum := sha256.Sum256([]byte(p.name + strconv.FormatInt(number, 10)))
		value = base64.StdEncoding.EncodeToString(sum[:]) // what a reader without the key sees: nothing of the value
	}
	found := &types.Parameter{
		Name: &p.name, ARN: new(s.arn(p.name)), Type: p.kind, DataType: &p.dataType, Value: &value, Version: number, LastModifiedDate: &v.modified,
	}
	if selector != "" {
		found.Selector = new(":" + selector)
	}
	return found, nil
}

func missing(name string) error {
	return &types.ParameterNotFound{Message: new(fmt.Sprintf("Parameter %s not found.", name))}
}
