// Two tables and a data collection rule for Sidearm's sink azure_logs, and the right to send.
//
//   az deployment group create -g GROUP -f kubearmor.bicep \
//     -p workspaceName=WORKSPACE principalId=OBJECT_ID_OF_THE_IDENTITY
//
// The outputs are the sink's settings `url` and `dcr`. KubeArmor's `Type` is the column EventType:
// Type is Log Analytics' own.

@description('The Log Analytics workspace that Microsoft Sentinel looks at.')
param workspaceName string

@description('Where the rule is; must be the workspace\'s own region.')
param location string = resourceGroup().location

@description('The name of the data collection rule.')
param ruleName string = 'kubearmor'

@description('The object id of the identity that sends. Empty: nobody is given the right.')
param principalId string = ''

@description('Days for which rows can be queried.')
param retentionInDays int = 90

var columns = [
  { name: 'TimeGenerated', type: 'datetime' }
  { name: 'EventId', type: 'string' }
  { name: 'Timestamp', type: 'long' }
  { name: 'UpdatedTime', type: 'string' }
  { name: 'ClusterName', type: 'string' }
  { name: 'HostName', type: 'string' }
  { name: 'HostIP', type: 'string' }
  { name: 'NamespaceName', type: 'string' }
  { name: 'Owner', type: 'dynamic' }
  { name: 'PodName', type: 'string' }
  { name: 'Labels', type: 'string' }
  { name: 'ContainerID', type: 'string' }
  { name: 'ContainerName', type: 'string' }
  { name: 'ContainerImage', type: 'string' }
  { name: 'HostPPID', type: 'int' }
  { name: 'HostPID', type: 'int' }
  { name: 'PPID', type: 'int' }
  { name: 'PID', type: 'int' }
  { name: 'UID', type: 'int' }
  { name: 'UserName', type: 'string' }
  { name: 'ParentProcessName', type: 'string' }
  { name: 'ProcessName', type: 'string' }
  { name: 'PolicyName', type: 'string' }
  { name: 'Severity', type: 'string' }
  { name: 'Tags', type: 'string' }
  { name: 'ATags', type: 'dynamic' }
  { name: 'Message', type: 'string' }
  { name: 'EventType', type: 'string' }
  { name: 'Level', type: 'string' }
  { name: 'Source', type: 'string' }
  { name: 'Operation', type: 'string' }
  { name: 'Resource', type: 'string' }
  { name: 'Data', type: 'string' }
  { name: 'EventData', type: 'dynamic' }
  { name: 'Enforcer', type: 'string' }
  { name: 'Action', type: 'string' }
  { name: 'Result', type: 'string' }
  { name: 'Cwd', type: 'string' }
  { name: 'TTY', type: 'string' }
  { name: 'MaxAlertsPerSec', type: 'int' }
  { name: 'DroppingAlertsInterval', type: 'int' }
  { name: 'ExecEvent', type: 'dynamic' }
  { name: 'KubeArmorVersion', type: 'string' }
  { name: 'NodeID', type: 'string' }
  { name: 'ProcessHash', type: 'string' }
  { name: 'ParentHash', type: 'string' }
  { name: 'ResourceHash', type: 'string' }
  { name: 'HashAlgo', type: 'string' }
  { name: 'From', type: 'string' }
  { name: 'To', type: 'string' }
  { name: 'Reason', type: 'string' }
  { name: 'Lost', type: 'long' }
  { name: 'Stream', type: 'string' }
]

// Monitoring Metrics Publisher
var publisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource workspace 'Microsoft.OperationalInsights/workspaces@2022-10-01' existing = {
  name: workspaceName
}

resource alerts 'Microsoft.OperationalInsights/workspaces/tables@2022-10-01' = {
  parent: workspace
  name: 'KubeArmorAlerts_CL'
  properties: {
    retentionInDays: retentionInDays
    schema: {
      name: 'KubeArmorAlerts_CL'
      columns: columns
    }
  }
}

resource logs 'Microsoft.OperationalInsights/workspaces/tables@2022-10-01' = {
  parent: workspace
  name: 'KubeArmorLogs_CL'
  properties: {
    retentionInDays: retentionInDays
    schema: {
      name: 'KubeArmorLogs_CL'
      columns: columns
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: ruleName
  location: location
  kind: 'Direct'
  properties: {
    streamDeclarations: {
      'Custom-KubeArmorAlerts': {
        columns: columns
      }
      'Custom-KubeArmorLogs': {
        columns: columns
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: [
          'Custom-KubeArmorAlerts'
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: 'Custom-KubeArmorAlerts_CL'
      }
      {
        streams: [
          'Custom-KubeArmorLogs'
        ]
        destinations: [
          'workspace'
        ]
        transformKql: 'source'
        outputStream: 'Custom-KubeArmorLogs_CL'
      }
    ]
  }
  dependsOn: [
    alerts
    logs
  ]
}

resource right 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(principalId)) {
  name: guid(rule.id, principalId, publisher)
  scope: rule
  properties: {
    principalId: principalId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', publisher)
  }
}

output url string = rule.properties.endpoints.logsIngestion
output dcr string = rule.properties.immutableId
