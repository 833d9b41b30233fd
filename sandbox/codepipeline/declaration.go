package codepipeline

import (
	"cmp"
	"encoding/json"
	"slices"
)

// declaration is a pipeline as the resource declares it; the names are those of the resource's properties.
type declaration struct {
	Name           string
	ARN            string
	PipelineType   string
	ExecutionMode  string
	RoleARN        string
	ArtifactStores []artifactStore
	Stages         []stage
	Triggers       []trigger
	Variables      []variable
}

type artifactStore struct {
	Location string
	Region   string
	Type     string
}

type variable struct {
	Name         string
	DefaultValue *string
	Description  string
}

type stage struct {
	Name        string
	Actions     []action
	OnFailure   *onFailure
	BeforeEntry json.RawMessage
	OnSuccess   json.RawMessage
}

type onFailure struct {
	Result             string
	RetryConfiguration struct{ RetryMode string }
	Condition          json.RawMessage
}

type action struct {
	Name             string
	Category         string
	Owner            string
	Provider         string
	Version          string
	Configuration    map[string]string
	InputArtifacts   []string
	OutputArtifacts  []string
	Namespace        string
	Region           string
	RoleARN          string
	RunOrder         int
	TimeoutInMinutes int
}

// kind is the action type as AWS writes it: category, owner, provider and version.
func (a action) kind() string {
	return a.Category + "/" + a.Owner + "/" + a.Provider + "/" + a.Version
}

// order is the action's run order; AWS takes 1 where none is given.
func (a action) order() int { return cmp.Or(a.RunOrder, 1) }

// groups returns the stage's actions by rising run order; the actions of one group run at the same time.
func (s stage) groups() [][]action {
	byOrder := map[int][]action{}
	for _, a := range s.Actions {
		byOrder[a.order()] = append(byOrder[a.order()], a)
	}
	orders := make([]int, 0, len(byOrder))
	for order := range byOrder {
		orders = append(orders, order)
	}
	slices.Sort(orders)
	groups := make([][]action, 0, len(orders))
	for _, order := range orders {
		groups = append(groups, byOrder[order])
	}
	return groups
}

func (d declaration) mode() string { return cmp.Or(d.ExecutionMode, "SUPERSEDED") }

func (d declaration) stage(name string) (int, bool) {
	i := slices.IndexFunc(d.Stages, func(s stage) bool { return s.Name == name })
	return i, i >= 0
}
