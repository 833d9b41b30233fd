package operator

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzOutputs holds that any file is the outputs of a stack that can be operated, or an error that says what is missing.
func FuzzOutputs(f *testing.F) {
	for _, seed := range []string{
		`{"pipelineName":"shop"}`, `{"environment":"dev","strategy":"blueGreen","shiftFunctionName":"shift"}`, `{}`, `null`, `[]`, ``,
		`{"environment":"dev","strategy":"rolling","clusterName":"c","blueServiceName":"b"}`, `{"strategy":"\u0000","region":7}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := ParseOutputs(text)
		if err != nil || o.PipelineName != "" {
			return
		}
		assert.NotEmpty(t, o.Environment)
		switch o.Strategy {
		case BlueGreen:
			assert.NotEmpty(t, o.ShiftFunctionName)
		case Rolling:
			assert.NotEmpty(t, o.ClusterName)
			assert.NotEmpty(t, o.BlueServiceName)
		default:
			t.Errorf("the strategy %q was taken", o.Strategy)
		}
	})
}
