package codepipeline

import (
	"cmp"
	"encoding/json"
	"slices"
)

// declaration is a pipeline as the resource declares it: what stands here is what the sandbox interprets, and any other input
// is refused by name.
type declaration struct {
	Name           string            `json:"name"`
	ARN            string            `json:"arn"`
	PipelineType   string            `json:"pipelineType"`
	ExecutionMode  string            `json:"executionMode"`
	RoleARN        string            `json:"roleArn"`
	ArtifactStores []artifactStore   `json:"artifactStores"`
	Stages         []stage           `json:"stages"`
	Triggers       []trigger         `json:"triggers"`
	Variables      []variable        `json:"variables"`
	Tags           map[string]string `json:"tags"`
}

// artifactStore is a bucket. Its artifacts are folders on this machine, so its key encrypts nothing here.
type artifactStore struct {
	Location      string         `json:"location"`
	Region        string         `json:"region"`
	Type          string         `json:"type"`
	EncryptionKey map[string]any `json:"encryptionKey"`
}

type variable struct {
	Name         string  `json:"name"`
	DefaultValue *string `json:"defaultValue"`
	Description  string  `json:"description"`
}

type stage struct {
	Name        string          `json:"name"`
	Actions     []action        `json:"actions"`
	OnFailure   *onFailure      `json:"onFailure"`
	BeforeEntry json.RawMessage `json:"beforeEntry"`
	OnSuccess   json.RawMessage `json:"onSuccess"`
}

type onFailure struct {
	Result             string             `json:"result"`
	RetryConfiguration retryConfiguration `json:"retryConfiguration"`
	Condition          json.RawMessage    `json:"condition"`
}

type retryConfiguration struct {
	RetryMode string `json:"retryMode"`
}

type action struct {
	Name             string            `json:"name"`
	Category         string            `json:"category"`
	Owner            string            `json:"owner"`
	Provider         string            `json:"provider"`
	Version          string            `json:"version"`
	Configuration    map[string]string `json:"configuration"`
	InputArtifacts   []string          `json:"inputArtifacts"`
	OutputArtifacts  []string          `json:"outputArtifacts"`
	Namespace        string            `json:"namespace"`
	Region           string            `json:"region"`
	RoleARN          string            `json:"roleArn"`
	RunOrder         int               `json:"runOrder"`
	TimeoutInMinutes int               `json:"timeoutInMinutes"`
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
