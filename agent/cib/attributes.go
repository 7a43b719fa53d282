package cib

// visit is called for each XML attribute of an element, in the order of writing, with the field that holds it. One
// table for both directions keeps reading and writing each other's inverse.
type visit func(name string, field *string)

func (h *Header) attributes(v visit) {
	v("validate-with", &h.ValidateWith)
	v("crm_feature_set", &h.FeatureSet)
	v("have-quorum", &h.HaveQuorum)
	v("no-quorum-panic", &h.NoQuorumPanic)
	v("dc-uuid", &h.DCUUID)
	v("cib-last-written", &h.LastWritten)
	v("execution-date", &h.ExecutionDate)
}

func (s *NVSet) attributes(v visit) {
	v("id", &s.ID)
	v("id-ref", &s.IDRef)
	v("score", &s.Score)
}

func (r *Rule) attributes(v visit) {
	v("id", &r.ID)
	v("id-ref", &r.IDRef)
	v("role", &r.Role)
	v("score", &r.Score)
	v("score-attribute", &r.ScoreAttribute)
	v("boolean-op", &r.BooleanOp)
}

func (x *AttributeExpr) attributes(v visit) {
	v("id", &x.ID)
	v("attribute", &x.Attribute)
	v("operation", &x.Operation)
	v("type", &x.Type)
	v("value", &x.Value)
	v("value-source", &x.ValueSource)
}

func (x *DateExpr) attributes(v visit) {
	v("id", &x.ID)
	v("operation", &x.Operation)
	v("start", &x.Start)
	v("end", &x.End)
}

func (x *ResourceExpr) attributes(v visit) {
	v("id", &x.ID)
	v("class", &x.Class)
	v("provider", &x.Provider)
	v("type", &x.Type)
}

func (x *OperationExpr) attributes(v visit) {
	v("id", &x.ID)
	v("name", &x.Name)
	v("interval", &x.Interval)
}

func (n *Node) attributes(v visit) {
	v("id", &n.ID)
	v("uname", &n.Uname)
	v("type", &n.Type)
	v("score", &n.Score)
	v("description", &n.Description)
}

func (a *Agent) attributes(v visit) {
	v("class", &a.Class)
	v("provider", &a.Provider)
	v("type", &a.Type)
}

func (r *Resource) attributes(v visit) {
	v("id", &r.ID)
	switch r.Kind {
	case KindPrimitive:
		r.Agent.attributes(v)
		v("template", &r.Template)
	case KindTemplate:
		r.Agent.attributes(v)
	}
	v("description", &r.Description)
}

func (o *Operations) attributes(v visit) {
	v("id", &o.ID)
	v("id-ref", &o.IDRef)
}

func (o *Op) attributes(v visit) {
	v("id", &o.ID)
	v("id-ref", &o.IDRef)
	v("name", &o.Name)
	v("interval", &o.Interval)
	v("timeout", &o.Timeout)
	v("role", &o.Role)
	v("on-fail", &o.OnFail)
	v("requires", &o.Requires)
	v("enabled", &o.Enabled)
	v("record-pending", &o.RecordPending)
	v("start-delay", &o.StartDelay)
	v("interval-origin", &o.IntervalOrigin)
	v("description", &o.Description)
}

func (p *PortMap) attributes(v visit) {
	v("id", &p.ID)
	v("port", &p.Port)
	v("internal-port", &p.InternalPort)
	v("range", &p.Range)
}

func (s *StorageMap) attributes(v visit) {
	v("id", &s.ID)
	v("source-dir", &s.SourceDir)
	v("source-dir-root", &s.SourceDirRoot)
	v("target-dir", &s.TargetDir)
	v("options", &s.Options)
}

func (l *Location) attributes(v visit) {
	v("id", &l.ID)
	v("rsc", &l.Resource)
	v("rsc-pattern", &l.Pattern)
	v("role", &l.Role)
	v("node", &l.Node)
	v("score", &l.Score)
	v("resource-discovery", &l.Discovery)
}

func (c *Colocation) attributes(v visit) {
	v("id", &c.ID)
	v("score", &c.Score)
	v("rsc", &c.Resource)
	v("rsc-role", &c.Role)
	v("rsc-instance", &c.ResourceInstance)
	v("with-rsc", &c.With)
	v("with-rsc-role", &c.WithRole)
	v("with-rsc-instance", &c.WithInstance)
	v("node-attribute", &c.NodeAttribute)
	v("influence", &c.Influence)
}

func (o *Order) attributes(v visit) {
	v("id", &o.ID)
	v("kind", &o.Kind)
	v("score", &o.Score)
	v("first", &o.First)
	v("first-action", &o.FirstAction)
	v("first-instance", &o.FirstInstance)
	v("then", &o.Then)
	v("then-action", &o.ThenAction)
	v("then-instance", &o.ThenInstance)
	v("symmetrical", &o.Symmetrical)
	v("require-all", &o.RequireAll)
}

func (t *RscTicket) attributes(v visit) {
	v("id", &t.ID)
	v("rsc", &t.Resource)
	v("rsc-role", &t.Role)
	v("ticket", &t.Ticket)
	v("loss-policy", &t.LossPolicy)
}

func (s *ResourceSet) attributes(v visit) {
	v("id", &s.ID)
	v("id-ref", &s.IDRef)
	v("sequential", &s.Sequential)
	v("require-all", &s.RequireAll)
	v("ordering", &s.Ordering)
	v("action", &s.Action)
	v("role", &s.Role)
	v("score", &s.Score)
	v("kind", &s.Kind)
}

func (l *FencingLevel) attributes(v visit) {
	v("id", &l.ID)
	v("target", &l.Target)
	v("target-pattern", &l.TargetPattern)
	v("target-attribute", &l.TargetAttribute)
	v("target-value", &l.TargetValue)
	v("index", &l.Index)
}

func (p *ACLPermission) attributes(v visit) {
	v("id", &p.ID)
	v("kind", &p.Kind)
	v("xpath", &p.XPath)
	v("reference", &p.Reference)
	v("object-type", &p.ObjectType)
	v("attribute", &p.Attribute)
	v("description", &p.Description)
}

func (a *Alert) attributes(v visit) {
	v("id", &a.ID)
	v("path", &a.Path)
	v("description", &a.Description)
}

func (r *AlertRecipient) attributes(v visit) {
	v("id", &r.ID)
	v("value", &r.Value)
	v("description", &r.Description)
}

func (n *NodeState) attributes(v visit) {
	v("id", &n.ID)
	v("uname", &n.Uname)
	v("in_ccm", &n.InCCM)
	v("crmd", &n.CRMD)
	v("join", &n.Join)
	v("expected", &n.Expected)
	v("ha", &n.HA)
	v("remote_node", &n.RemoteNode)
	v("node_fenced", &n.Fenced)
	v("node_in_maintenance", &n.Maintenance)
	v("conn_host", &n.ConnHost)
	v("paceline-boot", &n.Boot)
	v("paceline-incarnation", &n.Incarnation)
	v("paceline-cause", &n.Cause)
}

func (h *ResourceHistory) attributes(v visit) {
	v("id", &h.ID)
	h.Agent.attributes(v)
	v("container", &h.Container)
	v("shutdown-lock", &h.ShutdownLock)
}

func (r *OpRecord) attributes(v visit) {
	v("id", &r.ID)
	v("operation_key", &r.Key)
	v("operation", &r.Operation)
	v("interval", &r.IntervalMS)
	v("call-id", &r.CallID)
	v("rc-code", &r.RC)
	v("op-status", &r.OpStatus)
	v("transition-key", &r.TransitionKey)
	v("transition-magic", &r.TransitionMagic)
	v("exit-reason", &r.ExitReason)
	v("on_node", &r.OnNode)
	v("last-run", &r.LastRun)
	v("last-rc-change", &r.LastRCChange)
	v("exec-time", &r.ExecTime)
	v("queue-time", &r.QueueTime)
	v("op-digest", &r.OpDigest)
	v("op-restart-digest", &r.RestartDigest)
	v("op-secure-digest", &r.SecureDigest)
	v("op-force-restart", &r.ForceRestart)
	v("op-secure-params", &r.SecureParams)
	v("migrate_source", &r.MigrateSource)
	v("migrate_target", &r.MigrateTarget)
	v("crm_feature_set", &r.FeatureSet)
	v("crm-debug-origin", &r.DebugOrigin)
}

func (t *TicketState) attributes(v visit) {
	v("id", &t.ID)
	v("granted", &t.Granted)
	v("last-granted", &t.LastGranted)
	v("standby", &t.Standby)
}

// The fencing history and a node's Since are paceline's own; numbers are written by the codec itself.
func (f *FenceEvent) attributes(v visit) {
	v("target", &f.Target)
	v("action", &f.Action)
	v("device", &f.Device)
	v("executor", &f.Executor)
	v("origin", &f.Origin)
	v("state", &f.State)
	v("detail", &f.Detail)
}

func (t *AccessToken) attributes(v visit) {
	v("id", &t.ID)
	v("user", &t.User)
	v("scope", &t.Scope)
	v("roles", &t.Roles)
	v("hash", &t.Hash)
	v("by", &t.By)
}

func (p *NVPair) attributes(v visit) {
	v("id", &p.ID)
	v("id-ref", &p.IDRef)
	v("name", &p.Name)
	v("value", &p.Value)
}
