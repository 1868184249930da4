#Requires -Version 5.1
<#
.SYNOPSIS
  Looks at an installed Sallyport agent on a real Windows machine and prints PASS or FAIL with an id for each claim of
  docs/install-windows.md. For an administrator's PowerShell 5.1, Server Core too. Nothing is sent anywhere.
.PARAMETER Disruptive
  Also stops, starts and kills the service, and repeats `sallyport service install`: for a machine that may be disturbed.
.PARAMETER Uninstalled
  After `msiexec /x`: looks at what is left only. Where updates were applied, `sallyport service uninstall` comes before that.
.PARAMETER Updated
  After `sallyport update apply`, and after the machine was started anew, if you want to see that too: looks at what the update left.
.EXAMPLE
  powershell -ExecutionPolicy Bypass -File verify.ps1 -Disruptive
#>
[CmdletBinding()]
param([switch]$Disruptive, [switch]$Uninstalled, [switch]$Updated)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$Service = 'Sallyport'
$Updater = 'SallyportUpdate'
$Data = Join-Path $env:ProgramData 'Sallyport'
$Program = Join-Path $env:ProgramFiles 'Sallyport'
$Key = "HKLM:\SYSTEM\CurrentControlSet\Services\$Service"
$Source = "HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\$Service"
$script:Failed = 0

# One claim: its id, what it says, and a block that answers nothing where it holds, or what it found instead.
function Test-Claim([string]$Id, [string]$Says, [scriptblock]$Look) {
  try { $found = @(& $Look | Where-Object { $_ }) } catch { $found = @("cannot be looked at: $($_.Exception.Message)") }
  if ($found.Count -eq 0) { Write-Output "PASS $Id $Says" }
  else {
    $script:Failed += 1
    Write-Output "FAIL $Id ${Says}: $($found -join '; ')"
  }
}

function Get-Configuration { Get-CimInstance Win32_Service -Filter "Name='$Service'" }
function Get-UpdaterConfiguration { Get-CimInstance Win32_Service -Filter "Name='$Updater'" }
function Get-Agents { @(Get-CimInstance Win32_Process | Where-Object { $_.ExecutablePath -like "$Program\*" }) }
function Wait-Until([scriptblock]$Holds, [int]$Seconds = 120) {
  $end = (Get-Date).AddSeconds($Seconds)
  while (-not (& $Holds)) {
    if ((Get-Date) -gt $end) { return $false }
    Start-Sleep -Milliseconds 500
  }
  return $true
}

# Who but the system, administrators and the service may do anything there; what the service may that it should not.
function Get-Strangers([string]$Path, [switch]$ReadOnly) {
  $mayChange = [Security.AccessControl.FileSystemRights]'WriteData, AppendData, Delete, DeleteSubdirectoriesAndFiles, ChangePermissions, TakeOwnership'
  $service = (New-Object Security.Principal.NTAccount("NT SERVICE\$Service")).Translate([Security.Principal.SecurityIdentifier]).Value
  $acl = Get-Acl -LiteralPath $Path
  foreach ($rule in $acl.GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])) {
    $who = $rule.IdentityReference.Value
    if ($rule.AccessControlType -ne 'Allow') { continue }
    # Whoever owns it may look at the list, and no more.
    if ($who -eq 'S-1-3-4' -and ([int]$rule.FileSystemRights -band (-bnot 0x120000)) -eq 0) { continue }
    if ($who -notin 'S-1-5-18', 'S-1-5-32-544', $service) { "$Path is open to $who" }
    if ($ReadOnly -and $who -eq $service -and ($rule.FileSystemRights -band $mayChange)) { "$Path can be changed by the service" }
  }
  if ($ReadOnly) {
    $owner = $acl.GetOwner([Security.Principal.SecurityIdentifier]).Value
    if ($owner -notin 'S-1-5-18', 'S-1-5-32-544') { "$Path belongs to $owner" }
  }
}

if ($Uninstalled) {
  Test-Claim 'W30' 'no service, no process and no program is left' {
    if (Get-Configuration) { 'the service' }
    if (Get-UpdaterConfiguration) { 'the updater' }
    if (Get-Agents) { 'a process' }
    if (Test-Path $Program) { $Program }
  }
  Test-Claim 'W31' 'the event log has no source of ours any more' { if (Test-Path $Source) { $Source } }
  Test-Claim 'W32' 'policy, keys and journal are left' {
    foreach ($path in "$Data\config\policy.yaml", "$Data\state\keys", "$Data\state\journal") { if (-not (Test-Path $path)) { "$path is gone" } }
  }
  Write-Output "$script:Failed failed, Windows $([Environment]::OSVersion.Version), $(Get-Date -Format yyyy-MM-dd)"
  exit [int]($script:Failed -gt 0)
}

$configuration = Get-Configuration
Test-Claim 'W01' 'the service is there, runs, and starts with the machine' {
  if (-not $configuration) { 'no service'; return }
  if ($configuration.State -ne 'Running') { $configuration.State }
  if ($configuration.StartMode -ne 'Auto') { $configuration.StartMode }
}
Test-Claim 'W02' 'it runs as NT SERVICE\Sallyport, or as its owner chose' {
  $names = "NT SERVICE\$Service", 'LocalSystem', 'NT AUTHORITY\NetworkService', 'NT AUTHORITY\LocalService'
  if ($configuration.StartName -notin $names) { Write-Warning "chosen: $($configuration.StartName)" }
  $owner = Invoke-CimMethod -InputObject (Get-CimInstance Win32_Process -Filter "ProcessId=$($configuration.ProcessId)") -MethodName GetOwner
  if ($configuration.StartName -eq "NT SERVICE\$Service" -and $owner.User -ne $Service) { "the process is $($owner.User)'s" }
}
Test-Claim 'W03' 'its command is the program of one version, and nothing else' {
  if ($configuration.PathName -notmatch '^"[^"]+\\Sallyport\\versions\\[0-9.]+\\sallyport\.exe" service host$') { $configuration.PathName }
}
Test-Claim 'W04' 'it has a SID of its own under any account' {
  if ((& sc.exe qsidtype $Service) -notmatch 'UNRESTRICTED') { (& sc.exe qsidtype $Service) -join ' ' }
}
Test-Claim 'W05' 'its token has no privilege but to pass through folders' {
  $asked = (Get-ItemProperty $Key).RequiredPrivileges
  if ((@($asked) -join ',') -ne 'SeChangeNotifyPrivilege') { @($asked) -join ',' }
}
Test-Claim 'W06' 'Windows starts the host again when it dies' { if (-not (Get-ItemProperty $Key).FailureActions) { 'no failure actions' } }
Test-Claim 'W07' 'program and its folders can be changed by administrators only' {
  $may = [Security.AccessControl.FileSystemRights]'WriteData, AppendData, Delete, DeleteSubdirectoriesAndFiles, ChangePermissions, TakeOwnership'
  $trusted = 'S-1-5-18', 'S-1-5-32-544', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464'
  foreach ($path in @($Program) + @(Get-ChildItem $Program -Recurse | ForEach-Object FullName)) {
    foreach ($rule in (Get-Acl -LiteralPath $path).GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])) {
      $onlyBelow = $rule.PropagationFlags -band [Security.AccessControl.PropagationFlags]::InheritOnly
      if (-not $onlyBelow -and $rule.AccessControlType -eq 'Allow' -and ($rule.FileSystemRights -band $may) -and $rule.IdentityReference.Value -notin $trusted) {
        "$path can be changed by $($rule.IdentityReference.Value)"
      }
    }
  }
}
Test-Claim 'W08' 'policy and agent.yaml are read only for the service, and nobody else gets in' {
  foreach ($path in @($Data, "$Data\config") + @(Get-ChildItem "$Data\config" -File | ForEach-Object FullName)) { Get-Strangers $path -ReadOnly }
}
Test-Claim 'W09' 'the lock is out of the reach of the service' { Get-Strangers "$Data\state\control" -ReadOnly }
Test-Claim 'W10' 'keys, journal and logs are open to nobody else' {
  foreach ($path in @("$Data\state") + @(Get-ChildItem "$Data\state" -Recurse | ForEach-Object FullName)) { Get-Strangers $path }
}
Test-Claim 'W11' 'sallyport service status finds no fault with rights' {
  $told = (& sallyport service status --json) | ConvertFrom-Json
  $told.faults
}
Test-Claim 'W12' 'private keys, and the key of masks, are encrypted on the disk' {
  foreach ($file in @(Get-ChildItem "$Data\state\keys" -Filter *.jwk) + @(Get-ChildItem "$Data\state" -Filter mask.key)) {
    if ((Get-Content -Raw $file.FullName) -notmatch '^\{"dpapi":"machine","blob":"') { $file.Name }
  }
}
Test-Claim 'W13' 'no process is told a secret by its arguments' {
  foreach ($process in Get-Agents) {
    if ($process.CommandLine -match '(?i)(password|secret|token|key|code)[= ]\S{8,}|\bsp_[a-z0-9-]+_\S{20,}|[0-9A-Z]{4}-[0-9A-Z]{4}\.[0-9A-Z]{4}') { "process $($process.ProcessId)" }
  }
}
Test-Claim 'W14' 'neither the registry of the service nor the machine environment has one' {
  $names = @((Get-ItemProperty $Key).PSObject.Properties | ForEach-Object Name)
  if ($names -contains 'Environment') { 'the service has variables of its own' }
  foreach ($variable in [Environment]::GetEnvironmentVariables('Machine').Keys) { if ($variable -match '(?i)sallyport|^NODE_') { $variable } }
}
Test-Claim 'W15' 'no process of the agent listens' {
  $ids = @(Get-Agents | ForEach-Object ProcessId)
  Get-NetTCPConnection -State Listen -ErrorAction SilentlyContinue | Where-Object { $_.OwningProcess -in $ids } | ForEach-Object { "TCP $($_.LocalPort)" }
  Get-NetUDPEndpoint -ErrorAction SilentlyContinue | Where-Object { $_.OwningProcess -in $ids } | ForEach-Object { "UDP $($_.LocalPort)" }
}
Test-Claim 'W16' 'executors run under the permission model' {
  $executors = @(Get-Agents | Where-Object { $_.CommandLine -match '@executor' })
  if ($executors.Count -eq 0) { 'there is none: a running agent keeps some warm' }
  $executors | Where-Object { $_.CommandLine -notmatch '--permission' } | ForEach-Object { "process $($_.ProcessId)" }
}
Test-Claim 'W17' 'the agent is ready' {
  & sallyport ready
  if ($LASTEXITCODE -ne 0) { "sallyport ready: $LASTEXITCODE" }
}
Test-Claim 'W18' 'the event log knows the source and has its events in words' {
  if (-not (Test-Path $Source)) { 'no source'; return }
  $event = Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = $Service; Id = 100 } -MaxEvents 1
  if ($event.Message -notmatch 'The agent runs, process \d+') { $event.Message }
}
Test-Claim 'W19' 'a wrong NODE_OPTIONS has no effect on the program' {
  $env:NODE_OPTIONS = '--eval=process.exit(99)'
  try { & sallyport version | Out-Null; if ($LASTEXITCODE -eq 99) { 'it was obeyed' } } finally { Remove-Item Env:NODE_OPTIONS }
}
Test-Claim 'W25' 'who owns a file of the agent has no right by that' {
  foreach ($path in "$Data\config", "$Data\state", "$Data\state\keys") {
    $rules = (Get-Acl -LiteralPath $path).GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])
    if (-not @($rules | Where-Object { $_.IdentityReference.Value -eq 'S-1-3-4' })) { "$path says nothing of its owner" }
  }
}
Test-Claim 'W26' 'Windows writes no dumps of the agent' {
  $dumps = 'HKLM:\SOFTWARE\Microsoft\Windows\Windows Error Reporting\LocalDumps'
  if (Test-Path $dumps) { "$dumps is set" }
}
Test-Claim 'W27' 'the folder above all takes over nothing, and is no link' {
  $acl = Get-Acl -LiteralPath $Data
  if (-not $acl.AreAccessRulesProtected) { 'it takes over who may write in ProgramData' }
  if ((Get-Item -LiteralPath $Data).Attributes -band [IO.FileAttributes]::ReparsePoint) { 'it is a link' }
}

Test-Claim 'W33' 'the updater is there, is Local System, starts on demand only, and is the program of one version' {
  $found = Get-UpdaterConfiguration
  if (-not $found) { 'no service'; return }
  if ($found.StartName -ne 'LocalSystem') { $found.StartName }
  if ($found.StartMode -ne 'Manual') { "it starts: $($found.StartMode)" }
  if ($found.PathName -notmatch '^"[^"]+\\Sallyport\\versions\\[0-9.]+\\sallyport\.exe" service update-host$') { $found.PathName }
}
Test-Claim 'W34' 'the agent may start the updater and do nothing else with it; administrators and the system may, nobody besides' {
  $text = ((& sc.exe sdshow $Updater) -join '').Trim()
  $agent = (New-Object Security.Principal.NTAccount("NT SERVICE\$Service")).Translate([Security.Principal.SecurityIdentifier]).Value
  $list = (New-Object Security.AccessControl.RawSecurityDescriptor($text)).DiscretionaryAcl
  $mayStart = $false
  foreach ($rule in $list) {
    $who = $rule.SecurityIdentifier.Value
    if ($who -in 'S-1-5-18', 'S-1-5-32-544') { continue }
    # Stop, change, delete, its list, its owner.
    if ($rule.AccessMask -band 0xD0022) { "$who may change it" }
    if ($rule.AccessMask -band 0x10) { if ($who -eq $agent) { $mayStart = $true } else { "$who may start it" } }
  }
  if (-not $mayStart) { 'the agent may not start it' }
}
Test-Claim 'W35' 'the folder of the updater is closed: administrators change it, the service reads it' {
  foreach ($path in @("$Program\update") + @(Get-ChildItem "$Program\update" -Recurse | ForEach-Object FullName)) { Get-Strangers $path -ReadOnly }
  if (-not (Get-Acl -LiteralPath "$Program\update").AreAccessRulesProtected) { 'it takes over rights of the folder above' }
}
if ($Updated) {
  Test-Claim 'W37' 'the version that was applied last is what both services start, and what runs' {
    $told = (& sallyport update status --json) | ConvertFrom-Json
    if (-not $told.last -or $told.last.outcome -ne 'applied') { "the last update: $($told.last.outcome) $($told.last.why)"; return }
    $folder = [regex]::Escape("\versions\$($told.last.version)\sallyport.exe")
    foreach ($path in (Get-Configuration).PathName, (Get-UpdaterConfiguration).PathName) { if ($path -notmatch $folder) { $path } }
    foreach ($process in Get-Agents) { if ($process.ExecutablePath -notmatch $folder) { $process.ExecutablePath } }
    if ($told.under) { "still under way: $($told.under.step)" }
  }
}

if ($Disruptive) {
  Test-Claim 'W36' 'asked for with nothing to do, the updater ends by itself, and leaves the agent alone' {
    $before = (Get-Configuration).ProcessId
    Start-Service $Updater
    if (-not (Wait-Until { (Get-UpdaterConfiguration).State -eq 'Stopped' } 60)) { 'it goes on' }
    if ((Get-UpdaterConfiguration).ExitCode -ne 0) { "it ended with $((Get-UpdaterConfiguration).ExitCode)" }
    if ((Get-Configuration).ProcessId -ne $before) { 'the agent was stopped' }
  }
  Test-Claim 'W20' 'stopped, the service ends with all its processes, and starts again' {
    Stop-Service $Service
    if (Get-Agents) { 'processes are left' }
    if (-not (Test-Path "$Data\state\run\status.json")) { 'no last state' }
    Start-Service $Service
    if (-not (Wait-Until { & sallyport ready | Out-Null; $LASTEXITCODE -eq 0 })) { 'not ready within two minutes' }
  }
  Test-Claim 'W21' 'the agent ends with its host, and Windows starts both again' {
    $before = @(Get-Agents | ForEach-Object ProcessId)
    Stop-Process -Id (Get-Configuration).ProcessId -Force
    if (-not (Wait-Until { -not @(Get-Agents | Where-Object { $_.ProcessId -in $before }) } 15)) { 'processes outlive it' }
    if (-not (Wait-Until { (Get-Configuration).State -eq 'Running' })) { 'not started again' }
  }
  Test-Claim 'W22' 'an agent that dies is started again by its host' {
    $host_ = (Get-Configuration).ProcessId
    $agent = @(Get-Agents | Where-Object { $_.ParentProcessId -eq $host_ })[0].ProcessId
    Stop-Process -Id $agent -Force
    if (-not (Wait-Until { @(Get-Agents | Where-Object { $_.ParentProcessId -eq $host_ -and $_.ProcessId -ne $agent }).Count -gt 0 })) { 'not started again' }
    if ((Get-Configuration).ProcessId -ne $host_) { 'the host ended, too' }
  }
  Test-Claim 'W23' 'rights that somebody opened are found, keep the agent from starting, and are mended' {
    & icacls.exe "$Data\config" /grant '*S-1-5-32-545:(OI)(CI)M' | Out-Null
    try {
      Restart-Service $Service -ErrorAction SilentlyContinue
      if (-not (Wait-Until { (Get-Configuration).State -eq 'Stopped' } 60)) { 'it started in spite of it' }
      if (-not (Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = $Service; Id = 204 } -MaxEvents 1)) { 'no event 204' }
    } finally { & sallyport service install --json | Out-Null }
    if (@(((& sallyport service status --json) | ConvertFrom-Json).faults).Count -gt 0) { 'not mended' }
  }
  Test-Claim 'W24' 'another account needs no other files and no new keys' {
    $was = (Get-Configuration).StartName
    & sallyport service account 'Network Service' --json | Out-Null
    try {
      if (-not (Wait-Until { & sallyport ready | Out-Null; $LASTEXITCODE -eq 0 })) { 'not ready as Network Service' }
    } finally { & sallyport service account $was --json | Out-Null }
    if (-not (Wait-Until { & sallyport ready | Out-Null; $LASTEXITCODE -eq 0 })) { "not ready as $was" }
  }
  Test-Claim 'W28' 'an account that could change its own policy is refused, and nothing is changed' {
    $was = (Get-Configuration).StartName
    & sallyport service account 'Local System' --json | Out-Null
    if ($LASTEXITCODE -ne 78) { "it ended with $LASTEXITCODE" }
    if ((Get-Configuration).StartName -ne $was) { 'the account has changed' }
  }
  Test-Claim 'W29' 'a program that others can change is made no service' {
    $elsewhere = Join-Path $env:SystemDrive 'sallyport-verify'
    $was = (Get-Configuration).PathName
    New-Item -ItemType Directory $elsewhere | Out-Null
    try {
      Copy-Item (Join-Path (Split-Path ($was -replace '^"([^"]+)".*$', '$1')) '*') $elsewhere
      $told = (& "$elsewhere\sallyport.exe" service install --json) -join ' '
      if ($LASTEXITCODE -ne 78 -or $told -notmatch 'others than administrators') { "it ended with ${LASTEXITCODE}: $told" }
      if ((Get-Configuration).PathName -ne $was) { 'the service has changed' }
    } finally { Remove-Item $elsewhere -Recurse -Force }
  }
}

Write-Output "$script:Failed failed, Windows $([Environment]::OSVersion.Version), $(Get-Date -Format yyyy-MM-dd)"
exit [int]($script:Failed -gt 0)
