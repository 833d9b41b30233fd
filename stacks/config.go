package stacks

// Config is everything that a stack's file can say, below the project's namespace (`penguinshop:`). The tags are the one
// home of the reference: `json` is the key, `role` the roles that it belongs to (none: both), `default` the value where the
// file is silent, `meaning` and `example` what a person reads; `min`, `max`, `oneof` and `required` are checked.
type Config struct {
	Role          string `json:"role" required:"true" oneof:"env,shared" example:"env" meaning:"What the stack is: an environment (env), or the owner of the images and the pipeline (shared)."`
	EcrRepository string `json:"ecrRepository" default:"penguinshop-dev" example:"penguinshop-dev" meaning:"The ECR repository of the images. The shared stack makes it, the environments may pull from it."`
	LogDays       int    `json:"logRetentionDays" default:"30" example:"90" meaning:"How many days log lines are kept, one of the periods that CloudWatch knows."`

	Strategy     string       `json:"strategy" role:"env" default:"blueGreen" oneof:"blueGreen,rolling" example:"blueGreen" meaning:"How a release arrives: beside the running version with the traffic moved step by step (blueGreen), or in place by ECS alone (rolling)."`
	Network      Network      `json:"network" role:"env" meaning:"The VPC that the environment makes."`
	HTTPS        *HTTPS       `json:"https" role:"env" meaning:"How users come in over TLS. Without it the environment speaks plain HTTP, and insecureHttp must say why."`
	InsecureHTTP string       `json:"insecureHttp" role:"env" example:"no domain yet; test data only" meaning:"The reason, in words, why plain HTTP is acceptable here. Needed without https."`
	LoadBalancer LoadBalancer `json:"loadBalancer" role:"env" meaning:"The load balancer and how it judges its targets."`
	Service      Service      `json:"service" role:"env" meaning:"The service's tasks."`
	Rollout      Rollout      `json:"rollout" role:"env" meaning:"How a release's traffic is moved and judged (blueGreen only)."`
	Alarms       Alarms       `json:"alarms" role:"env" meaning:"When the environment raises an alarm, which rolls back a release while its former version is still warm."`

	Environments []Target `json:"environments" role:"shared" meaning:"The environments that the pipeline delivers to, in this order. At least one."`
	Source       Source   `json:"source" role:"shared" meaning:"Where the changes come from."`
	Image        Image    `json:"image" role:"shared" meaning:"The images in ECR."`
	Build        Build    `json:"build" role:"shared" meaning:"How a change becomes an image."`
	Approval     Approval `json:"approval" role:"shared" meaning:"The approvals that environments ask for."`
	Deploy       Deploy   `json:"deploy" role:"shared" meaning:"The pipeline's ECS action."`
}

// Network is the environment's VPC.
type Network struct {
	Cidr  string `json:"cidr" default:"10.0.0.0/16" example:"10.20.0.0/16" meaning:"The VPC's addresses, a block of /16 to /24."`
	Zones int    `json:"zones" default:"2" min:"2" max:"6" example:"3" meaning:"How many availability zones; a load balancer needs two."`
	Nat   string `json:"nat" default:"single" oneof:"none,single,perZone" example:"single" meaning:"How tasks reach the internet: with public addresses (none, no NAT charge), or from private subnets by one NAT gateway (single) or one in each zone (perZone)."`
}

// HTTPS is how users come in over TLS.
type HTTPS struct {
	Domain         string `json:"domain" required:"true" example:"shop.example.com" meaning:"The name that users know, which the certificate holds and whose DNS record leads to the load balancer."`
	CertificateArn string `json:"certificateArn" required:"true" example:"arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef" meaning:"The certificate in ACM, in the environment's region."`
}

// LoadBalancer is the load balancer's side of an environment.
type LoadBalancer struct {
	IngressCidrs               []string    `json:"ingressCidrs" default:"[\"0.0.0.0/0\"]" example:"[\"203.0.113.0/24\"]" meaning:"Who may come in."`
	DeletionProtection         bool        `json:"deletionProtection" default:"false" example:"true" meaning:"Whether AWS refuses to delete the load balancer."`
	DeregistrationDelaySeconds int         `json:"deregistrationDelaySeconds" default:"30" min:"0" max:"3600" example:"30" meaning:"How long a leaving target may finish its requests, in seconds."`
	IdleTimeoutSeconds         int         `json:"idleTimeoutSeconds" default:"60" min:"1" max:"64" example:"60" meaning:"How long an idle connection is kept, in seconds. The app keeps its own for 65, which must be longer."`
	HealthCheck                HealthCheck `json:"healthCheck" meaning:"How a target is judged."`
}

// HealthCheck is how a target is judged.
type HealthCheck struct {
	Path            string `json:"path" default:"/readyz" example:"/readyz" meaning:"What is asked for. It begins with a slash."`
	Status          string `json:"status" default:"200" example:"200-299" meaning:"The status, or the range, of a healthy answer."`
	IntervalSeconds int    `json:"intervalSeconds" default:"10" min:"5" max:"300" example:"10" meaning:"Seconds between two checks."`
	TimeoutSeconds  int    `json:"timeoutSeconds" default:"5" min:"2" max:"120" example:"5" meaning:"Seconds until a check without an answer has failed; less than the interval."`
	HealthyCount    int    `json:"healthyCount" default:"2" min:"2" max:"10" example:"2" meaning:"Good checks in a row that make a target healthy."`
	UnhealthyCount  int    `json:"unhealthyCount" default:"2" min:"2" max:"10" example:"3" meaning:"Bad checks in a row that make it unhealthy."`
}

// Service is the service's tasks.
type Service struct {
	CPU                int               `json:"cpu" default:"256" example:"512" meaning:"A task's CPU units; 1024 is one processor. Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384."`
	MemoryMiB          int               `json:"memoryMiB" default:"512" example:"1024" meaning:"A task's memory in MiB, one of the sizes that Fargate has for the CPU units."`
	Architecture       string            `json:"architecture" default:"arm64" oneof:"arm64,x86_64" example:"arm64" meaning:"The tasks' processors. The build makes arm64 images; x86_64 needs another build."`
	Minimum            int               `json:"minimum" default:"1" min:"1" max:"5000" example:"2" meaning:"The smallest number of tasks on the live side."`
	Maximum            int               `json:"maximum" default:"4" min:"1" max:"5000" example:"10" meaning:"The largest number of tasks on a side."`
	CPUPercent         int               `json:"cpuTargetPercent" default:"60" min:"10" max:"95" example:"60" meaning:"The average CPU use, in percent, that the number of tasks follows."`
	RequestsPerTarget  int               `json:"requestsPerTarget" default:"0" min:"0" max:"1000000" example:"3000" meaning:"The requests a minute and task that the number of tasks follows as well; 0 does not."`
	SpotPercent        int               `json:"spotPercent" default:"0" min:"0" max:"100" example:"50" meaning:"The share of tasks on Fargate Spot, which costs about a third and may be taken away with two minutes' notice."`
	PlaceholderImage   string            `json:"placeholderImage" default:"ghcr.io/stefanprodan/podinfo:6.9.1" example:"ghcr.io/stefanprodan/podinfo:6.9.1" meaning:"The public image that answers the health check on the app's port until the first delivery."`
	Environment        map[string]string `json:"environment" default:"{}" example:"{\"LOG_LEVEL\": \"debug\"}" meaning:"Environment variables of the container. No secrets."`
	HealthGraceSeconds int               `json:"healthGraceSeconds" default:"30" min:"0" max:"3600" example:"60" meaning:"How long a starting task may be unhealthy before ECS replaces it, in seconds."`
	ContainerInsights  string            `json:"containerInsights" default:"disabled" oneof:"disabled,enabled,enhanced" example:"enabled" meaning:"CloudWatch Container Insights of the cluster, which are charged by metric."`
	ExecuteCommand     bool              `json:"executeCommand" default:"false" example:"true" meaning:"Whether an operator may open a shell in a task (ECS Exec)."`
}

// Alarms is when the environment raises an alarm.
type Alarms struct {
	ErrorsPerMinute int `json:"errorsPerMinute" default:"10" min:"0" max:"1000000" example:"5" meaning:"More answers with 5xx than this in a minute, twice in three minutes, raise an alarm."`
	LatencyMs       int `json:"latencyMs" default:"0" min:"0" max:"60000" example:"800" meaning:"A 99th percentile of the answer time above this, in milliseconds, raises an alarm; 0 watches none."`
}

// Target is one environment that the pipeline delivers to.
type Target struct {
	Name     string `json:"name" required:"true" example:"dev" meaning:"The environment's stack, and the pipeline's stage."`
	Approval bool   `json:"approval" default:"false" example:"true" meaning:"Whether a person must approve each release to it."`
	Strategy string `json:"strategy" default:"blueGreen" oneof:"blueGreen,rolling" example:"blueGreen" meaning:"The environment's strategy, which its stack must have as well."`
	Stack    string `json:"stack" example:"acme/penguinshop/dev" meaning:"The stack's full name, where it is not of this organization and project."`
}

// Source is where the changes come from.
type Source struct {
	Repository string   `json:"repository" default:"penguinshop/delivery" example:"penguinshop/delivery" meaning:"The GitHub repository, owner/name."`
	Branch     string   `json:"branch" default:"main" example:"main" meaning:"The branch that is delivered."`
	Paths      []string `json:"paths" default:"[\"app/**\"]" example:"[\"app/**\"]" meaning:"What a push must touch to start a delivery, at most 8 patterns."`
}

// Image is the images in ECR.
type Image struct {
	UntaggedDays int  `json:"untaggedDays" default:"14" min:"1" max:"3650" example:"14" meaning:"Days after which an image that no tag names expires. Tagged images, and so all that are live or on standby, stay."`
	ForceDelete  bool `json:"forceDelete" default:"false" example:"true" meaning:"Whether tearing down the shared stack deletes the images with it."`
}

// Build is how a change becomes an image.
type Build struct {
	Buildspec string `json:"buildspec" default:"app/buildspec.yml" example:"app/buildspec.yml" meaning:"The build's instructions, a path in the repository."`
	BaseImage string `json:"baseImage" default:"public.ecr.aws/docker/library/node:24-slim" example:"public.ecr.aws/docker/library/node:24-slim" meaning:"The image that the Dockerfile builds on. Docker Hub itself limits builds from AWS."`
	Image     string `json:"image" default:"aws/codebuild/amazonlinux-aarch64-standard:3.0" example:"aws/codebuild/amazonlinux-aarch64-standard:3.0" meaning:"CodeBuild's own image that the build runs in."`
	Compute   string `json:"compute" default:"BUILD_GENERAL1_SMALL" oneof:"BUILD_GENERAL1_SMALL,BUILD_GENERAL1_MEDIUM,BUILD_GENERAL1_LARGE,BUILD_GENERAL1_XLARGE,BUILD_GENERAL1_2XLARGE" example:"BUILD_GENERAL1_SMALL" meaning:"The size of CodeBuild's machine."`
	Minutes   int    `json:"timeoutMinutes" default:"20" min:"5" max:"2160" example:"20" meaning:"Minutes after which a build has failed."`
}

// Approval is the approvals that environments ask for.
type Approval struct {
	Minutes int `json:"timeoutMinutes" default:"4320" min:"5" max:"86400" example:"1440" meaning:"Minutes after which an approval that nobody gave is a rejection: 5 minutes to 60 days."`
}

// Deploy is the pipeline's ECS action.
type Deploy struct {
	Minutes int `json:"timeoutMinutes" default:"20" min:"1" max:"60" example:"20" meaning:"Minutes after which ECS's part of a delivery has failed."`
}
