// The orchestrator: a function app on the Flex Consumption plan (Linux), with its settings.
param name string
param planName string
param location string
param tags object
param nodeVersion string
param origin string
param adminKeySha256 string
param identityId string
param identityClientId string
param hostStorageName string
param packageContainerUrl string
param tablesEndpoint string
param blobsEndpoint string
param containerName string
param serviceBusHost string
param relayName string
param relayHost string
param listenRuleName string

resource relay 'Microsoft.Relay/namespaces@2024-01-01' existing = {
  name: relayName
}

resource listenRule 'Microsoft.Relay/namespaces/authorizationRules@2024-01-01' existing = {
  parent: relay
  name: listenRuleName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: 40
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: concat([
        // Of the platform: the host's own storage, the queue's trigger, and which identity our clients use.
        {
          name: 'AzureWebJobsStorage__accountName'
          value: hostStorageName
        }
        {
          name: 'AzureWebJobsStorage__credential'
          value: 'managedidentity'
        }
        {
          name: 'AzureWebJobsStorage__clientId'
          value: identityClientId
        }
        {
          name: 'SALLYPORT_SERVICEBUS__credential'
          value: 'managedidentity'
        }
        {
          name: 'SALLYPORT_SERVICEBUS__clientId'
          value: identityClientId
        }
        {
          name: 'AZURE_CLIENT_ID'
          value: identityClientId
        }
        // Of Node and the C library: buffers are collected young and given back, so a long result takes no more than a short one.
        {
          name: 'NODE_OPTIONS'
          value: '--max-semi-space-size=4'
        }
        {
          name: 'MALLOC_ARENA_MAX'
          value: '2'
        }
        {
          name: 'MALLOC_MMAP_THRESHOLD_'
          value: '131072'
        }
        // Of the product: cloud/src/settings.ts. The trigger reads the namespace too.
        {
          name: 'SALLYPORT_SERVICEBUS__fullyQualifiedNamespace'
          value: serviceBusHost
        }
        {
          name: 'SALLYPORT_ADMIN_KEY_SHA256'
          value: adminKeySha256
        }
        {
          name: 'SALLYPORT_TABLES'
          value: tablesEndpoint
        }
        {
          name: 'SALLYPORT_BLOBS'
          value: blobsEndpoint
        }
        {
          name: 'SALLYPORT_CONTAINER'
          value: containerName
        }
        {
          name: 'SALLYPORT_RELAY'
          value: relayHost
        }
        {
          name: 'SALLYPORT_RELAY_LISTEN'
          value: listenRule.listKeys().primaryConnectionString
        }
        {
          name: 'SALLYPORT_RELAY_RESOURCE'
          value: '${environment().resourceManager}${substring(relay.id, 1)}'
        }
      ], empty(origin) ? [] : [
        {
          name: 'SALLYPORT_ORIGIN'
          value: origin
        }
      ])
    }
  }
}

resource noPasswordForFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: site
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noPasswordForDeployment 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: site
  name: 'scm'
  properties: {
    allow: false
  }
}

output name string = site.name
output uri string = 'https://${site.properties.defaultHostName}'
