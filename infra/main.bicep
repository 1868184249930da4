// Everything that Sallyport's orchestrator needs in one subscription. What works and what does not: README.md.
targetScope = 'subscription'

@minLength(1)
@maxLength(60)
@description('The name of the azd environment. It names the resource group.')
param environmentName string

@minLength(1)
@description('The Azure region, for example norwayeast.')
param location string

@minLength(64)
@maxLength(64)
@description('SHA-256 of the first admin key as lower-case hex. The key itself never comes here.')
param adminKeySha256 string

@description('The https origin that agents pin at enrolment, where that is not the host name of the function app.')
param origin string = ''

@description('The major version of Node in the function app.')
param nodeVersion string = '24'

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

module hostStorage 'app/host-storage.bicep' = {
  name: 'host-storage'
  scope: group
  params: {
    name: 'sthost${suffix}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
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
  }
}

// Takes names from the modules above, so it is deployed after the roles that they assign.
module functionApp 'app/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: 'func-${suffix}'
    planName: 'plan-${suffix}'
    location: location
    tags: tags
    nodeVersion: nodeVersion
    origin: origin
    adminKeySha256: adminKeySha256
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    hostStorageName: hostStorage.outputs.name
    packageContainerUrl: hostStorage.outputs.packageContainerUrl
    tablesEndpoint: storage.outputs.tablesEndpoint
    blobsEndpoint: storage.outputs.blobsEndpoint
    containerName: storage.outputs.containerName
    serviceBusHost: serviceBus.outputs.host
    relayName: relay.outputs.name
    relayHost: relay.outputs.host
    listenRuleName: relay.outputs.listenRuleName
  }
}

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output SERVICE_API_NAME string = functionApp.outputs.name
output SERVICE_API_URI string = functionApp.outputs.uri
