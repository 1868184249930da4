// Everything that Sallyport's orchestrator needs in one subscription, as `azd up` makes it: README.md, docs/deploy.md.
targetScope = 'subscription'

@minLength(1)
@maxLength(60)
@description('The name of the azd environment. It names the resource group.')
param environmentName string

@minLength(1)
@description('The Azure region, for example norwayeast.')
param location string

// No length is asked here: azd looks at this value before the hook that makes the key has run, and the app refuses anything else.
@description('SHA-256 of the first admin key as 64 lower-case hex digits. The key itself never comes here.')
param adminKeySha256 string

@description('The https origin that agents pin at enrolment. Without one it is the host name of the function app, which moves with the region.')
param origin string = ''

@description('The issuer of Entra tokens that the API takes beside its keys: https://login.microsoftonline.com/DIRECTORY/v2.0')
param entraIssuer string = ''

@description('The audience that such a token is for: the application id of the API.')
param entraAudience string = ''

@description('Networks that webhooks may reach beside the public Internet, in CIDR, separated by commas.')
param webhookNetworks string = ''

@description('The major version of Node in the function app.')
param nodeVersion string = '24'

@allowed([
  2048
  4096
])
@description('Memory of an instance in MB. A claim takes up to 600 MB, and two of them write Parquet at a time.')
param instanceMemoryMB int = 2048

@minValue(1)
@maxValue(1000)
@description('The most instances that the plan runs at once.')
param maximumInstanceCount int = 40

@description('False for who may not assign roles: then ROLES_TO_ASSIGN lists what somebody else has to assign.')
param assignRoles bool = true

@description('True closes storage and Key Vault to everything but a virtual network that the app joins. Links to results then open only there.')
param privateNetwork bool = false

@description('The address space of that network, a /24 or larger.')
param networkPrefix string = '10.71.0.0/24'

@allowed([
  'Standard'
  'Premium'
])
@description('Private endpoints of Service Bus need Premium, which costs about 670 USD a month. A namespace does not change from one to the other: choose before the first provision.')
param serviceBusSku string = 'Standard'

@description('Where alerts are sent. Without an address they are shown in the portal only.')
param alertEmail string = ''

@minValue(30)
@maxValue(730)
@description('How long logs are kept.')
param logRetentionDays int = 90

@description('True also logs each read of blobs and tables, of which a run makes dozens.')
param logStorageReads bool = false

@allowed([
  'Standard_ZRS'
  'Standard_LRS'
  'Standard_GZRS'
  'Standard_GRS'
])
@description('How the storage of state and results is kept. A region without availability zones takes Standard_LRS or Standard_GRS only.')
param storageSku string = 'Standard_ZRS'

@description('True takes up a vault of the same name that was deleted in the last 90 days.')
param recoverVault bool = false

var suffix = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'app/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-${suffix}'
    location: location
    tags: tags
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    name: suffix
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

module network 'app/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-${suffix}'
    location: location
    tags: tags
    prefix: networkPrefix
  }
}

module hostStorage 'app/host-storage.bicep' = {
  name: 'host-storage'
  scope: group
  params: {
    name: 'sthost${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    assignRoles: assignRoles
    isPrivate: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    logReads: logStorageReads
  }
}

module storage 'app/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    assignRoles: assignRoles
    isPrivate: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    skuName: storageSku
    logReads: logStorageReads
  }
}

module serviceBus 'app/service-bus.bicep' = {
  name: 'service-bus'
  scope: group
  params: {
    name: 'sb-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    assignRoles: assignRoles
    sku: serviceBusSku
    isPrivate: privateNetwork && serviceBusSku == 'Premium'
    workspaceId: monitoring.outputs.workspaceId
  }
}

module relay 'app/relay.bicep' = {
  name: 'relay'
  scope: group
  params: {
    name: 'relay-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    assignRoles: assignRoles
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'app/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    assignRoles: assignRoles
    isPrivate: privateNetwork
    recover: recoverVault
    relayName: relay.outputs.name
    listenRuleName: relay.outputs.listenRuleName
    workspaceId: monitoring.outputs.workspaceId
  }
}

module endpoints 'app/private-endpoints.bicep' = if (privateNetwork) {
  name: 'private-endpoints'
  scope: group
  params: {
    name: suffix
    location: location
    tags: tags
    networkName: 'vnet-${suffix}'
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    hostStorageId: hostStorage.outputs.id
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
    serviceBusId: serviceBusSku == 'Premium' ? serviceBus.outputs.id : ''
  }
}

// Takes names from the modules above, so it is deployed after the roles that they assign.
module functionApp 'app/function-app.bicep' = {
  name: 'function-app'
  scope: group
  // Without its endpoints a closed storage would not take the app's package.
  dependsOn: [
    endpoints
  ]
  params: {
    name: 'func-${suffix}'
    planName: 'plan-${suffix}'
    location: location
    tags: tags
    nodeVersion: nodeVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    origin: origin
    entraIssuer: entraIssuer
    entraAudience: entraAudience
    webhookNetworks: webhookNetworks
    adminKeySha256: adminKeySha256
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    subnetId: network.?outputs.appSubnetId ?? ''
    hostStorageName: hostStorage.outputs.name
    packageContainerUrl: hostStorage.outputs.packageContainerUrl
    tablesEndpoint: storage.outputs.tablesEndpoint
    blobsEndpoint: storage.outputs.blobsEndpoint
    containerName: storage.outputs.containerName
    serviceBusHost: serviceBus.outputs.host
    relayHost: relay.outputs.host
    relayId: relay.outputs.id
    listenAddress: vault.outputs.listenAddress
    signingAddress: vault.outputs.signingAddress
    vaultAddress: vault.outputs.address
    insightsName: monitoring.outputs.insightsName
  }
}

module alerts 'app/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    name: suffix
    location: location
    tags: tags
    email: alertEmail
    workspaceId: monitoring.outputs.workspaceId
    serviceBusId: serviceBus.outputs.id
    queueNames: serviceBus.outputs.queueNames
  }
}

module workbook 'app/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    name: guid(group.id, 'sallyport-workbook')
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
  }
}

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output SERVICE_API_NAME string = functionApp.outputs.name
output SERVICE_API_URI string = functionApp.outputs.uri
output SALLYPORT_VAULT string = vault.outputs.address
output SALLYPORT_PRINCIPAL_ID string = identity.outputs.principalId
output ROLES_TO_ASSIGN array = assignRoles
  ? []
  : concat(
      hostStorage.outputs.grants,
      storage.outputs.grants,
      serviceBus.outputs.grants,
      relay.outputs.grants,
      vault.outputs.grants
    )
