package components

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// BlueGreenAlb is an application load balancer that shares the traffic between a blue and a green target group by weights,
// and leads a request with a secret header to the side that takes no traffic yet.
type BlueGreenAlb struct {
	pulumi.ResourceState

	// URL is where users come in, with scheme and without a path.
	URL pulumi.StringOutput
	// DNSName is the load balancer's own name, and ZoneID the hosted zone that an alias record for it names.
	DNSName, ZoneID pulumi.StringOutput
	LoadBalancerArn pulumi.StringOutput
	// ListenerArn is the listener with the weights: port 443 with a certificate, otherwise port 80.
	ListenerArn pulumi.StringOutput
	// Blue and Green are the two sides; Green is nil for a load balancer with one.
	Blue, Green *TargetGroup
	// LoadBalancerSuffix is how CloudWatch's dimension LoadBalancer names it.
	LoadBalancerSuffix pulumi.StringOutput
	// TaskSecurityGroupID is the group that the targets must be in: it lets the load balancer in, and nobody else.
	TaskSecurityGroupID pulumi.StringOutput
	// PreviewRuleArn, PreviewHeader and PreviewParameterName lead to the candidate; zero without a green side.
	PreviewRuleArn       pulumi.StringOutput
	PreviewHeader        string
	PreviewParameterName pulumi.StringOutput
	PreviewParameterArn  pulumi.StringOutput
}

// TargetGroup is one side of the load balancer.
type TargetGroup struct {
	// Arn resolves when the listener names the group: ECS refuses a service whose target group has no load balancer yet.
	Arn pulumi.StringOutput
	// Suffix is how CloudWatch's dimension TargetGroup names it.
	Suffix pulumi.StringOutput
}

// BlueGreenAlbArgs are the arguments of NewBlueGreenAlb.
type BlueGreenAlbArgs struct {
	VpcID pulumi.StringInput
	// Subnets are at least two, in different zones (AWS); public ones unless Internal.
	Subnets  pulumi.StringArrayInput
	Internal bool
	// Port is the port that the targets listen on, 1 to 65,535.
	Port int
	// IngressCidrs are the addresses that may come in, such as "0.0.0.0/0".
	IngressCidrs []string
	// CertificateArn makes the listener HTTPS on port 443, and port 80 a redirect to it. Nil means plain HTTP.
	CertificateArn pulumi.StringInput
	// Domain is the name that users know, which the certificate must hold. Empty means the load balancer's own name.
	Domain string
	// HostedZoneID is Route 53's zone for Domain. With it the certificate, unless one is given, and the domain's record are
	// made as well.
	HostedZoneID pulumi.StringInput
	// AccessLogDays keeps a record of every request in a bucket of its own, for so many days; 0 keeps none.
	AccessLogDays int
	// AccountID is the account that the record is written for; needed with AccessLogDays.
	AccountID string
	// SingleSide leaves out the green side and the preview rule, for a service that is deployed in place.
	SingleSide bool
	// PreviewHeader is the header of the preview rule; PreviewSecret is its value, of 16 to 128 characters without * and ?,
	// which AWS would take for wildcards. The value counts when the parameter is made, and is ignored afterwards.
	PreviewHeader string
	PreviewSecret pulumi.StringInput
	HealthCheck   HealthCheck
	// DeregistrationDelaySeconds is how long a leaving target may finish its requests, 0 to 3,600 (AWS).
	DeregistrationDelaySeconds int
	// IdleTimeoutSeconds is 1 to 4,000 (AWS). The targets must keep idle connections longer.
	IdleTimeoutSeconds int
	DeletionProtection bool
	// Protect makes Pulumi refuse to delete or replace what carries the traffic: the load balancer, the listener with the
	// weights, the preview rule and the target groups. A change that needs one of them replaced then fails before it begins.
	Protect bool
}

// HealthCheck is how the load balancer judges a target.
type HealthCheck struct {
	// Path begins with a slash.
	Path string
	// Status is the expected status, or a range as AWS writes it ("200-299").
	Status string
	// IntervalSeconds is 5 to 300, TimeoutSeconds 2 to 120 and shorter than the interval (AWS).
	IntervalSeconds, TimeoutSeconds int
	// HealthyCount and UnhealthyCount are 2 to 10 (AWS).
	HealthyCount, UnhealthyCount int
}

func (a *BlueGreenAlbArgs) validate() error {
	switch {
	case a == nil || a.VpcID == nil || a.Subnets == nil:
		return fmt.Errorf("BlueGreenAlb: VpcID and Subnets are needed")
	case a.Port < 1 || a.Port > 65535:
		return fmt.Errorf("BlueGreenAlb: Port is %d; it must be 1 to 65535", a.Port)
	case !a.SingleSide && (a.PreviewHeader == "" || a.PreviewSecret == nil):
		return fmt.Errorf("BlueGreenAlb: PreviewHeader and PreviewSecret are needed for two sides")
	case a.HostedZoneID != nil && a.Domain == "":
		return fmt.Errorf("BlueGreenAlb: HostedZoneID is given without the Domain that lies in it")
	case a.AccessLogDays > 0 && a.AccountID == "":
		return fmt.Errorf("BlueGreenAlb: AccountID is needed with AccessLogDays")
	case len(a.IngressCidrs) == 0:
		return fmt.Errorf("BlueGreenAlb: IngressCidrs is empty, so nobody could reach the load balancer")
	}
	return nil
}

// TLSPolicy allows TLS 1.3 and 1.2 with forward secrecy only.
const TLSPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06"

// NewBlueGreenAlb declares the load balancer. All of its traffic goes to blue at first. Later, weights and the preview
// rule's target belong to shiftfn: an update of this component never moves traffic.
func NewBlueGreenAlb(ctx *pulumi.Context, name string, args *BlueGreenAlbArgs, opts ...pulumi.ResourceOption) (*BlueGreenAlb, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	c := &BlueGreenAlb{}
	if err := ctx.RegisterComponentResource(typeBlueGreenAlb, name, c, opts...); err != nil {
		return nil, err
	}
	if args.HostedZoneID != nil && args.CertificateArn == nil {
		arn, err := c.certificate(ctx, name, args)
		if err != nil {
			return nil, err
		}
		with := *args
		with.CertificateArn = arn
		args = &with
	}
	entrance, err := c.securityGroups(ctx, name, args)
	if err != nil {
		return nil, err
	}
	record, err := c.accessLogs(ctx, name, args)
	if err != nil {
		return nil, err
	}
	balancer, err := lb.NewLoadBalancer(ctx, name+"-alb", &lb.LoadBalancerArgs{
		AccessLogs:               record,
		LoadBalancerType:         pulumi.String("application"),
		Internal:                 pulumi.Bool(args.Internal),
		Subnets:                  args.Subnets,
		SecurityGroups:           pulumi.StringArray{entrance.ID()},
		IdleTimeout:              pulumi.Int(args.IdleTimeoutSeconds),
		EnableDeletionProtection: pulumi.Bool(args.DeletionProtection),
		// Headers that no server agrees about are how requests are smuggled past a load balancer.
		DropInvalidHeaderFields: pulumi.Bool(true),
	}, pulumi.Parent(c), pulumi.Protect(args.Protect))
	if err != nil {
		return nil, err
	}
	c.LoadBalancerArn, c.LoadBalancerSuffix = balancer.Arn, balancer.ArnSuffix
	c.DNSName, c.ZoneID = balancer.DnsName, balancer.ZoneId
	if args.HostedZoneID != nil {
		if err := c.alias(ctx, name, args); err != nil {
			return nil, err
		}
	}

	blue, err := c.targetGroup(ctx, name, rollout.Blue, args)
	if err != nil {
		return nil, err
	}
	var green *lb.TargetGroup
	if !args.SingleSide {
		if green, err = c.targetGroup(ctx, name, rollout.Green, args); err != nil {
			return nil, err
		}
	}
	listener, err := c.listener(ctx, name, args, blue, green)
	if err != nil {
		return nil, err
	}
	c.ListenerArn = listener.Arn
	c.Blue = attached(blue, listener)
	if green != nil {
		c.Green = attached(green, listener)
		if err := c.preview(ctx, name, args, listener, green); err != nil {
			return nil, err
		}
	}
	c.URL = c.url(args)
	return c, ctx.RegisterResourceOutputs(c, c.outputs())
}

func (c *BlueGreenAlb) outputs() pulumi.Map {
	outputs := pulumi.Map{
		"url": c.URL, "dnsName": c.DNSName, "loadBalancerArn": c.LoadBalancerArn, "listenerArn": c.ListenerArn,
		"blueTargetGroupArn": c.Blue.Arn, "taskSecurityGroupId": c.TaskSecurityGroupID,
	}
	if c.Green != nil {
		outputs["greenTargetGroupArn"] = c.Green.Arn
		outputs["previewRuleArn"] = c.PreviewRuleArn
		outputs["previewHeader"] = pulumi.String(c.PreviewHeader)
		outputs["previewParameterName"] = c.PreviewParameterName
	}
	return outputs
}

func (c *BlueGreenAlb) url(args *BlueGreenAlbArgs) pulumi.StringOutput {
	scheme := "http://"
	if args.CertificateArn != nil {
		scheme = "https://"
	}
	if args.Domain != "" {
		return pulumi.String(scheme + args.Domain).ToStringOutput()
	}
	return pulumi.Sprintf("%s%s", scheme, c.DNSName)
}

// securityGroups declares who may talk to whom: the configured addresses to the load balancer, the load balancer to the
// tasks on their one port, the tasks out over HTTPS (registry, logs, AWS's interfaces).
func (c *BlueGreenAlb) securityGroups(ctx *pulumi.Context, name string, args *BlueGreenAlbArgs) (*ec2.SecurityGroup, error) {
	group := func(role, description string) (*ec2.SecurityGroup, error) {
		return ec2.NewSecurityGroup(ctx, name+"-"+role, &ec2.SecurityGroupArgs{
			VpcId: args.VpcID, Description: pulumi.String(description),
		}, pulumi.Parent(c))
	}
	entrance, err := group("entrance", "The load balancer")
	if err != nil {
		return nil, err
	}
	tasks, err := group("tasks", "The tasks behind the load balancer")
	if err != nil {
		return nil, err
	}
	c.TaskSecurityGroupID = tasks.ID().ToStringOutput()

	open := pulumi.ToStringArray(args.IngressCidrs)
	rules := []struct {
		role, direction, description string
		of, peer                     *ec2.SecurityGroup
		cidrs                        pulumi.StringArray
		port                         int
	}{
		{"http-in", "ingress", "Users", entrance, nil, open, 80},
		{"https-in", "ingress", "Users", entrance, nil, open, 443},
		{"entrance-out", "egress", "To the tasks", entrance, tasks, nil, args.Port},
		{"tasks-in", "ingress", "From the load balancer", tasks, entrance, nil, args.Port},
		{"tasks-out", "egress", "Registry, logs and AWS's interfaces", tasks, nil, pulumi.ToStringArray([]string{"0.0.0.0/0"}), 443},
	}
	for _, r := range rules {
		if r.port == 443 && r.of == entrance && args.CertificateArn == nil {
			continue // nothing listens there
		}
		rule := &ec2.SecurityGroupRuleArgs{
			SecurityGroupId: r.of.ID(), Type: pulumi.String(r.direction), Protocol: pulumi.String("tcp"),
			FromPort: pulumi.Int(r.port), ToPort: pulumi.Int(r.port), Description: pulumi.String(r.description),
		}
		if r.peer != nil {
			rule.SourceSecurityGroupId = r.peer.ID()
		} else {
			rule.CidrBlocks = r.cidrs
		}
		if _, err := ec2.NewSecurityGroupRule(ctx, name+"-"+r.role, rule, pulumi.Parent(r.of)); err != nil {
			return nil, err
		}
	}
	return entrance, nil
}

func (c *BlueGreenAlb) targetGroup(
	ctx *pulumi.Context, name string, colour rollout.Colour, args *BlueGreenAlbArgs,
) (*lb.TargetGroup, error) {
	return lb.NewTargetGroup(ctx, name+"-"+string(colour), &lb.TargetGroupArgs{
		VpcId: args.VpcID,
		// Fargate tasks have their own addresses, so targets are addresses, not instances.
		TargetType:          pulumi.String("ip"),
		Port:                pulumi.Int(args.Port),
		Protocol:            pulumi.String("HTTP"),
		DeregistrationDelay: pulumi.Int(args.DeregistrationDelaySeconds),
		HealthCheck: &lb.TargetGroupHealthCheckArgs{
			Path:               pulumi.String(args.HealthCheck.Path),
			Matcher:            pulumi.String(args.HealthCheck.Status),
			Interval:           pulumi.Int(args.HealthCheck.IntervalSeconds),
			Timeout:            pulumi.Int(args.HealthCheck.TimeoutSeconds),
			HealthyThreshold:   pulumi.Int(args.HealthCheck.HealthyCount),
			UnhealthyThreshold: pulumi.Int(args.HealthCheck.UnhealthyCount),
		},
	}, pulumi.Parent(c), pulumi.Protect(args.Protect))
}

// listener declares the listener that holds the weights, and with a certificate the redirect to it.
func (c *BlueGreenAlb) listener(
	ctx *pulumi.Context, name string, args *BlueGreenAlbArgs, blue, green *lb.TargetGroup,
) (*lb.Listener, error) {
	// The zero is written out: a group that is declared without a weight can land as 1 (pulumi-aws #5772).
	groups := lb.ListenerDefaultActionForwardTargetGroupArray{
		&lb.ListenerDefaultActionForwardTargetGroupArgs{Arn: blue.Arn, Weight: pulumi.Int(100)},
	}
	if green != nil {
		groups = append(groups, &lb.ListenerDefaultActionForwardTargetGroupArgs{Arn: green.Arn, Weight: pulumi.Int(0)})
	}
	forward := &lb.ListenerArgs{
		LoadBalancerArn: c.LoadBalancerArn,
		Port:            pulumi.Int(80),
		Protocol:        pulumi.String("HTTP"),
		DefaultActions: lb.ListenerDefaultActionArray{&lb.ListenerDefaultActionArgs{
			Type:    pulumi.String("forward"),
			Forward: &lb.ListenerDefaultActionForwardArgs{TargetGroups: groups},
		}},
	}
	role := "-http"
	if args.CertificateArn != nil {
		forward.Port, forward.Protocol = pulumi.Int(443), pulumi.String("HTTPS")
		forward.CertificateArn, forward.SslPolicy = args.CertificateArn, pulumi.String(TLSPolicy)
		role = "-https"
		// Not called -http: a load balancer that goes from HTTP to HTTPS loses the listener that holds its weights, and that
		// must be seen, and refused where the component is protected.
		if _, err := lb.NewListener(ctx, name+"-redirect", &lb.ListenerArgs{
			LoadBalancerArn: c.LoadBalancerArn,
			Port:            pulumi.Int(80),
			Protocol:        pulumi.String("HTTP"),
			DefaultActions: lb.ListenerDefaultActionArray{&lb.ListenerDefaultActionArgs{
				Type: pulumi.String("redirect"),
				Redirect: &lb.ListenerDefaultActionRedirectArgs{
					Port: pulumi.String("443"), Protocol: pulumi.String("HTTPS"), StatusCode: pulumi.String("HTTP_301"),
				},
			}},
		}, pulumi.Parent(c)); err != nil {
			return nil, err
		}
	}
	options := []pulumi.ResourceOption{pulumi.Parent(c), pulumi.Protect(args.Protect)}
	if green != nil {
		// Owned by shiftfn at run time: the weights. The whole action is ignored, because with nested ignores a further
		// target group would preview as a change of weights (pulumi-aws #5798).
		options = append(options, pulumi.IgnoreChanges([]string{"defaultActions"}))
	}
	return lb.NewListener(ctx, name+role, forward, options...)
}

// preview declares the secret and the rule that asks for it.
func (c *BlueGreenAlb) preview(
	ctx *pulumi.Context, name string, args *BlueGreenAlbArgs, listener *lb.Listener, green *lb.TargetGroup,
) error {
	parameter, err := ssm.NewParameter(ctx, name+"-preview", &ssm.ParameterArgs{
		Type:        pulumi.String("SecureString"),
		Value:       pulumi.ToSecret(args.PreviewSecret).(pulumi.StringOutput),
		Description: pulumi.String("The value of the header " + args.PreviewHeader + " that leads to the candidate"),
		// Owned by the environment from its first `up`: each run of a program may offer another value, the first one stays.
	}, pulumi.Parent(c), pulumi.IgnoreChanges([]string{"value"}))
	if err != nil {
		return err
	}
	rule, err := lb.NewListenerRule(ctx, name+"-preview", &lb.ListenerRuleArgs{
		ListenerArn: listener.Arn,
		Priority:    pulumi.Int(1),
		Conditions: lb.ListenerRuleConditionArray{&lb.ListenerRuleConditionArgs{
			HttpHeader: &lb.ListenerRuleConditionHttpHeaderArgs{
				HttpHeaderName: pulumi.String(args.PreviewHeader),
				// The parameter's value, not the argument: what stands in AWS and what the rule asks for are the same.
				Values: pulumi.StringArray{parameter.Value},
			},
		}},
		Actions: lb.ListenerRuleActionArray{&lb.ListenerRuleActionArgs{
			Type: pulumi.String("forward"), TargetGroupArn: green.Arn,
		}},
		// Owned by shiftfn at run time: the side that the rule leads to.
	}, pulumi.Parent(listener), pulumi.Protect(args.Protect), pulumi.IgnoreChanges([]string{"actions"}))
	if err != nil {
		return err
	}
	c.PreviewRuleArn, c.PreviewHeader = rule.Arn, args.PreviewHeader
	c.PreviewParameterName, c.PreviewParameterArn = parameter.Name, parameter.Arn
	return nil
}

// attached holds the group's ARN back until the listener names the group.
func attached(group *lb.TargetGroup, listener *lb.Listener) *TargetGroup {
	return &TargetGroup{
		Arn:    pulumi.All(group.Arn, listener.Arn).ApplyT(func(arns []any) string { return arns[0].(string) }).(pulumi.StringOutput),
		Suffix: group.ArnSuffix,
	}
}

// accessLogs declares the bucket that the load balancer writes a line for each request to; nil where none is wanted.
func (c *BlueGreenAlb) accessLogs(ctx *pulumi.Context, name string, args *BlueGreenAlbArgs) (lb.LoadBalancerAccessLogsPtrInput, error) {
	if args.AccessLogDays == 0 {
		return nil, nil
	}
	bucket, err := newClosedBucket(ctx, name+"-requests", closedBucketArgs{
		days: args.AccessLogDays,
		allow: func(bucketArn pulumi.StringInput) Policy {
			return Policy{{
				Services: []string{"logdelivery.elasticloadbalancing.amazonaws.com"}, Actions: []string{"s3:PutObject"},
				Resources: []pulumi.StringInput{below(bucketArn, "/AWSLogs/"+args.AccountID+"/*")},
				Reason:    "the load balancer names the objects within the account's own folder",
			}}
		},
	}, c)
	if err != nil {
		return nil, err
	}
	return &lb.LoadBalancerAccessLogsArgs{Bucket: bucket.Name, Enabled: pulumi.Bool(true)}, nil
}
