package function

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/penguinshop/delivery/shiftfn/settings"
)

// The names of the environment that the job is about.
const (
	functionARN = "arn:aws:lambda:eu-central-1:123456789012:function:prod-shift"
	balancerARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/prod/50dc6c495c0c9188"
	listenerARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2"
	ruleARN     = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/prod/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
	blueGroup   = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/73e2d6bc24d8a067"
	greenGroup  = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/green/09966783158cda59"
	blueTask    = "arn:aws:ecs:eu-central-1:123456789012:task-definition/prod-blue:1"
	greenTask   = "arn:aws:ecs:eu-central-1:123456789012:task-definition/prod-green:1"
	jobID       = "11111111-abcd-1111-abcd-111111abcdef"
)

// environment is what the function is told about the environment.
func environment() settings.Settings {
	return settings.Settings{
		Environment: "prod", Cluster: "prod", Container: "app", LoadBalancer: balancerARN, Listener: listenerARN, PreviewRule: ruleARN,
		URL: "http://127.0.0.1:1", PreviewHeader: "X-Preview", PreviewParameter: "/prod/preview", LogGroup: "/prod/app", Function: functionARN,
		ScheduleGroup: "prod", ScheduleRole: "arn:aws:iam::123456789012:role/prod-schedule", MinimumTasks: 2,
		Blue:  settings.Side{Service: "blue", TargetGroup: blueGroup, TaskDefinition: blueTask},
		Green: settings.Side{Service: "green", TargetGroup: greenGroup, TaskDefinition: greenTask},
	}
}

// event is the pipeline's job that asks for the idle side to be made ready. It looks at the whole environment, finds traffic
// shared out by an earlier shift, and is answered at once: a preparation that may begin waits a tick first.
func event() ([]byte, error) {
	return json.Marshal(map[string]any{"CodePipeline.job": map[string]any{"id": jobID, "accountId": "123456789012",
		"data": map[string]any{"actionConfiguration": map[string]any{"configuration": map[string]any{
			"FunctionName": "prod-shift", "UserParameters": `{"command":"prepare"}`}}}}})
}

// services stand in for AWS: an environment whose traffic was left half way between blue and green, and that has never had a
// lease. They answer exactly what the job asks.
type services struct {
	mu       sync.Mutex
	calls    map[string]int
	unknown  []string
	answered chan time.Time // when the job got its answer
}

func newServices() *services {
	return &services{calls: map[string]int{}, answered: make(chan time.Time, 1)}
}

// called lists the operations that were called, and what is wrong when one was unknown.
func (s *services) called() ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unknown) > 0 {
		return nil, fmt.Errorf("the stand-in does not know %s", strings.Join(s.unknown, ", "))
	}
	return slices.Sorted(maps.Keys(s.calls)), nil
}

func (s *services) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	operation := name(request, string(body))
	status, kind, answer := http.StatusOK, "application/x-amz-json-1.1", ""
	switch operation {
	case "GetSchedule":
		status, answer = http.StatusNotFound, `{"Message":"Schedule rollout does not exist."}`
		w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
	case "DescribeServices":
		answer = fmt.Sprintf(`{"failures":[],"services":[%s,%s]}`, service("blue", blueTask, 2), service("green", greenTask, 2))
	case "DescribeScalableTargets":
		answer = `{"ScalableTargets":[]}`
	case "PutJobFailureResult":
		answer = `{}`
		select {
		case s.answered <- time.Now():
		default:
		}
	case "DescribeListeners":
		kind, answer = "text/xml", document(operation, "<Listeners><member><ListenerArn>"+listenerARN+"</ListenerArn><DefaultActions>"+
			forward(blueGroup, 50, greenGroup, 50)+"</DefaultActions></member></Listeners>")
	case "DescribeRules":
		kind, answer = "text/xml", document(operation, "<Rules><member><RuleArn>"+ruleARN+"</RuleArn><Actions>"+
			forward(greenGroup, 1)+"</Actions></member></Rules>")
	case "DescribeTargetHealth":
		members := strings.Repeat("<member><Target><Id>10.0.0.1</Id><Port>8080</Port></Target><TargetHealth><State>healthy</State></TargetHealth></member>", 2)
		kind, answer = "text/xml", document(operation, "<TargetHealthDescriptions>"+members+"</TargetHealthDescriptions>")
	default:
		status, answer = http.StatusBadRequest, `{"message":"unknown operation"}`
		s.mu.Lock()
		s.unknown = append(s.unknown, operation)
		s.mu.Unlock()
	}
	s.mu.Lock()
	s.calls[operation]++
	s.mu.Unlock()
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	io.WriteString(w, answer)
}

// name is the operation that a request asks for, in each of the three protocols.
func name(request *http.Request, body string) string {
	if target := request.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	if strings.HasPrefix(request.URL.Path, "/schedules/") {
		return map[string]string{http.MethodGet: "Get", http.MethodPut: "Update", http.MethodPost: "Create"}[request.Method] + "Schedule"
	}
	for field := range strings.SplitSeq(body, "&") {
		if action, found := strings.CutPrefix(field, "Action="); found {
			return action
		}
	}
	return request.Method + " " + request.URL.Path
}

func service(name, task string, tasks int) string {
	return fmt.Sprintf(`{"serviceName":%q,"status":"ACTIVE","desiredCount":%d,"runningCount":%[2]d,"pendingCount":0,"taskDefinition":%[3]q,`+
		`"deployments":[{"status":"PRIMARY","rolloutState":"COMPLETED","taskDefinition":%[3]q}]}`, name, tasks, task)
}

func forward(groups ...any) string {
	var b strings.Builder
	for i := 0; i < len(groups); i += 2 {
		fmt.Fprintf(&b, "<member><TargetGroupArn>%v</TargetGroupArn><Weight>%v</Weight></member>", groups[i], groups[i+1])
	}
	return "<member><Type>forward</Type><ForwardConfig><TargetGroups>" + b.String() + "</TargetGroups></ForwardConfig></member>"
}

func document(operation, result string) string {
	return fmt.Sprintf(`<%[1]sResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, operation, result)
}
