"""Makes the calls of a refused prepare job with boto3, as a Lambda of Python would: the yardstick of its cold start."""
import json
import os
import urllib.request

import boto3

runtime = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
settings = json.loads(os.environ["SHIFTFN_SETTINGS"])
balancer, services, scaling, schedules, pipeline = map(
    boto3.client, ("elbv2", "ecs", "application-autoscaling", "scheduler", "codepipeline"))


def prepare(job):
    sides = settings["blue"], settings["green"]
    try:
        schedules.get_schedule(GroupName=settings["scheduleGroup"], Name="rollout")
    except schedules.exceptions.ResourceNotFoundException:
        pass
    balancer.describe_listeners(ListenerArns=[settings["listener"]])
    balancer.describe_rules(RuleArns=[settings["previewRule"]])
    for side in sides:
        balancer.describe_target_health(TargetGroupArn=side["targetGroup"])
    services.describe_services(cluster=settings["cluster"], services=[side["service"] for side in sides])
    scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[
        "service/%s/%s" % (settings["cluster"], side["service"]) for side in sides])
    pipeline.put_job_failure_result(jobId=job["id"], failureDetails={"type": "JobFailed", "message": "traffic is shared out"})


while True:
    with urllib.request.urlopen(runtime + "next") as answer:
        request, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.load(answer)
    prepare(event["CodePipeline.job"])
    urllib.request.urlopen(runtime + request + "/response", b"null").close()
