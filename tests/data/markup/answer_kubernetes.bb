[b]Why the pod restarts[/b]

The `livenessProbe` fails, because the app needs [b]40 s[/b] to start and the probe gives it only 30.

[b]Fix[/b]

[code]containers:
- name: app
  image: registry.example/app:1.4.2
  startupProbe:
    httpGet: {path: /healthz, port: 8080}
    failureThreshold: 30
    periodSeconds: 2
  livenessProbe:
    httpGet:
      path: /healthz
      port: 8080
    periodSeconds: 10[/code]

Apply and watch:

[code]$ kubectl apply -f deploy.yaml
deployment.apps/app configured
$ kubectl get pods -w
NAME                   READY   STATUS    RESTARTS   AGE
app-6d4cf56db6-2xk9p   1/1     Running   0          45s[/code]

[b]If it still fails[/b]

1. `kubectl describe pod <name>` and look at [i]Events[/i]
2. `kubectl logs <name> --previous`
3. Check memory: `OOMKilled` means the limit is too low
