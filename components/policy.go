package components

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Policy is an IAM policy as values. Its JSON is made by Document, which refuses what cannot be defended.
type Policy []Statement

// Statement allows (or, with Deny, refuses) actions on resources.
type Statement struct {
	Deny bool
	// Actions are written out, such as "ecs:UpdateService".
	Actions []string
	// Resources are ARNs. A trust policy has none.
	Resources []pulumi.StringInput
	// Services are the AWS services that a resource's or a role's own policy trusts, such as "lambda.amazonaws.com".
	Services []string
	// Accounts are the AWS accounts, by their numbers, that a resource's own policy trusts.
	Accounts []string
	// Federated is the identity provider whose tokens a role's trust policy accepts, by its ARN.
	Federated pulumi.StringInput
	// Everybody stands for the principal "*", which only a Deny may name.
	Everybody  bool
	Conditions []Condition
	// Reason says in one sentence why a wildcard in the actions or resources cannot be avoided. It becomes the statement's
	// Sid, "Because…", so that whoever reads the policy in AWS finds it.
	Reason string
}

// Condition narrows a statement: Operator ("StringEquals") holds for Key with any of Values.
type Condition struct {
	Operator, Key string
	Values        []pulumi.StringInput
}

// Equals is the condition that a key has one of the values.
func Equals(key string, values ...pulumi.StringInput) Condition {
	return Condition{Operator: "StringEquals", Key: key, Values: values}
}

// ReasonPrefix begins the Sid of a statement with a wildcard, followed by the reason in camel case.
const ReasonPrefix = "Because"

type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Principal any                            `json:",omitempty"`
	Action    []string                       `json:",omitempty"`
	Resource  []string                       `json:",omitempty"`
	Condition map[string]map[string][]string `json:",omitempty"`
}

// Document renders the policy. It is an error, found before anything is registered where that is possible, when a statement
// has no action, or a wildcard without a reason.
func (p Policy) Document() (pulumi.StringOutput, error) {
	var problems []error
	var inputs []any
	for i, s := range p {
		if len(s.Actions) == 0 {
			problems = append(problems, fmt.Errorf("policy: statement %d has no action", i+1))
		}
		if s.Everybody && !s.Deny {
			problems = append(problems, fmt.Errorf("policy: statement %d would allow everybody", i+1))
		}
		for _, action := range s.Actions {
			if strings.Contains(action, "*") && s.Reason == "" && !s.Deny {
				problems = append(problems, fmt.Errorf("policy: action %s is a wildcard without a reason", action))
			}
		}
		for _, r := range s.Resources {
			if text, ok := r.(pulumi.String); ok {
				problems = append(problems, s.wildcard(string(text)))
			}
			inputs = append(inputs, r)
		}
		if s.Federated != nil {
			inputs = append(inputs, s.Federated)
		}
		for _, c := range s.Conditions {
			for _, v := range c.Values {
				inputs = append(inputs, v)
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return pulumi.StringOutput{}, err
	}
	return pulumi.All(inputs...).ApplyT(func(values []any) (string, error) {
		return p.render(values)
	}).(pulumi.StringOutput), nil
}

// wildcard refuses a resource with a wildcard that has no reason.
func (s Statement) wildcard(resource string) error {
	if strings.Contains(resource, "*") && s.Reason == "" && !s.Deny {
		return fmt.Errorf("policy: %s on %s is a wildcard without a reason", strings.Join(s.Actions, ", "), resource)
	}
	return nil
}

// render fills in the resources and values, in the order in which Document collected them.
func (p Policy) render(values []any) (string, error) {
	next := func(n int) []string {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = values[i].(string)
		}
		values = values[n:]
		return texts
	}
	d := document{Version: "2012-10-17"}
	for _, s := range p {
		out := statement{Sid: s.sid(), Effect: "Allow", Action: s.Actions, Resource: next(len(s.Resources))}
		if s.Deny {
			out.Effect = "Deny"
		}
		for _, resource := range out.Resource {
			if err := s.wildcard(resource); err != nil {
				return "", err
			}
		}
		switch {
		case s.Everybody:
			out.Principal = "*"
		case len(s.Accounts) > 0:
			out.Principal = map[string][]string{"AWS": s.Accounts}
		case len(s.Services) > 0:
			out.Principal = map[string][]string{"Service": s.Services}
		case s.Federated != nil:
			out.Principal = map[string][]string{"Federated": next(1)}
		}
		for _, c := range s.Conditions {
			if out.Condition == nil {
				out.Condition = map[string]map[string][]string{}
			}
			if out.Condition[c.Operator] == nil {
				out.Condition[c.Operator] = map[string][]string{}
			}
			out.Condition[c.Operator][c.Key] = next(len(c.Values))
		}
		d.Statement = append(d.Statement, out)
	}
	text, err := json.Marshal(d)
	return string(text), err
}

// sid is the reason in camel case: AWS allows letters and digits only.
func (s Statement) sid() string {
	if s.Reason == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(ReasonPrefix)
	for word := range strings.FieldsFuncSeq(s.Reason, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// role declares a role that one AWS service, or the holder of an identity provider's token, may take on, with one policy of
// its own.
func role(ctx *pulumi.Context, name, description string, trust Statement, policy Policy, parent pulumi.Resource) (*iam.Role, error) {
	trust.Actions = []string{"sts:AssumeRole"}
	if trust.Federated != nil {
		trust.Actions = []string{"sts:AssumeRoleWithWebIdentity"}
	}
	trusted, err := Policy{trust}.Document()
	if err != nil {
		return nil, err
	}
	allowed, err := policy.Document()
	if err != nil {
		return nil, err
	}
	r, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Description:      pulumi.String(description),
		AssumeRolePolicy: trusted,
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	if len(policy) > 0 {
		_, err = iam.NewRolePolicy(ctx, name, &iam.RolePolicyArgs{Role: r.Name, Policy: allowed}, pulumi.Parent(r))
	}
	return r, err
}
